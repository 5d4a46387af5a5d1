"""The demo provider's answer as events (format: :mod:`piproxy.wire.demo`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, get_args

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.framing.sse import Frame, SSEReader
from piproxy.jsontext import Json
from piproxy.providererror import complaint_in, provider_error
from piproxy.wire.room import WireRequest, keeping

_REASONS: Final[Mapping[str, FinishReason]] = {reason: reason for reason in get_args(FinishReason)}
_DELTAS: Final[Mapping[str, Callable[[str], Event]]] = {
    "text": TextDelta,
    "thinking": ReasoningDelta,
    "refusal": RefusalDelta,
}


def stream_parser(request: WireRequest, content_type: str) -> DemoParser:  # noqa: ARG001  (the rooms' signature)
    """A parser for one answer."""
    return DemoParser(request.body)


class DemoParser:
    """See :class:`piproxy.wire.room.StreamParser`."""

    def __init__(self, asked: bytes) -> None:
        """``asked``: the request's body."""
        self.replay: Mapping[str, Json] = {}
        self._sse = SSEReader()
        self._started = False
        self._finished = False
        self._calls = 0
        self._asked = asked
        self._pieces = 0
        self._thoughts = 0
        self._usage: Usage | None = None

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`piproxy.wire.room.TellsUsage`; counted as the demo provider does: words and pieces are tokens."""
        if self._usage is not None or not self._started:
            return self._usage
        asked = jsontext.parse(self._asked)
        texts = [asked["system"], *(message["text"] for message in asked["messages"])]
        words = sum(len(text.split()) for text in texts)
        return Usage(input=words, output=self._pieces, reasoning=self._thoughts, estimated=True)

    def feed(self, data: bytes) -> Sequence[Event]:
        return self._events(self._sse.feed(data))

    def end(self) -> Sequence[Event]:
        events = self._events(self._sse.end())
        with keeping(events):
            if not self._finished:
                raise UpstreamBroken("The demo provider's answer stopped short.")
        return events

    def _events(self, frames: Iterable[Frame]) -> list[Event]:
        events: list[Event] = []
        with keeping(events):
            for frame in frames:
                if not self._finished:
                    events.extend(self._event(frame.event or "", _object(frame)))
        return events

    def _event(self, kind: str, data: Mapping[str, Json]) -> Iterator[Event]:
        if kind == "error":
            raise provider_error(None, complaint_in(data))
        if kind == "start":
            self._started = True
            yield Started(_string(data, "id"), _string(data, "model"))
        elif not self._started:
            raise UpstreamBroken("The demo provider did not begin its answer.")
        elif kind in _DELTAS:
            self._pieces += 1
            self._thoughts += kind == "thinking"
            if text := _string(data, "text"):
                yield _DELTAS[kind](text)
        elif kind == "call":
            self._pieces += 1
            yield ToolCallStart(
                self._calls, _string(data, "id"), _string(data, "name"), custom=data.get("custom") is True
            )
            self._calls += 1
        elif kind == "arguments":
            self._pieces += 1
            yield ToolCallDelta(self._call(data), _string(data, "text"))
        elif kind == "usage":
            self._usage = _usage(data)
            yield self._usage
        elif kind == "stop":
            self._finished = True
            yield Finish(_reason(data))
        else:
            raise UpstreamBroken(f"The demo provider sent an event of an unknown kind, {kind!r}.")

    def _call(self, data: Mapping[str, Json]) -> int:
        call = _number(data, "call")
        if call >= self._calls:
            raise UpstreamBroken("The demo provider sent arguments for a call that it did not begin.")
        return call


def _object(frame: Frame) -> Mapping[str, Json]:
    try:
        value = jsontext.parse(frame.data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UpstreamBroken("The demo provider sent an event that is not a JSON object.")
    return value


def _string(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise UpstreamBroken(f"The demo provider sent an event without {name!r}.")
    return value


def _number(data: Mapping[str, Json], name: str) -> int:
    value = data.get(name)
    if type(value) is not int or value < 0:
        raise UpstreamBroken(f"The demo provider sent an event without a number {name!r}.")
    return value


def _usage(data: Mapping[str, Json]) -> Usage:
    counts = {"cache_read": 0, "cache_write": 0, "reasoning": 0, **data}
    return Usage(
        input=_number(counts, "input"),
        output=_number(counts, "output"),
        cache_read=_number(counts, "cache_read"),
        cache_write=_number(counts, "cache_write"),
        reasoning=_number(counts, "reasoning"),
    )


def _reason(data: Mapping[str, Json]) -> FinishReason:
    reason = _REASONS.get(_string(data, "reason"))
    if reason is None:
        raise UpstreamBroken("The demo provider stopped for a reason that has no name.")
    return reason
