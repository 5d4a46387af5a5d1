"""Mistral's answer -> events (wire reference, 7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from piproxy import jsontext
from piproxy.budget import estimated_usage
from piproxy.errors import UpstreamBroken
from piproxy.events import Event, Finish, FinishReason, ReasoningDelta, Started, TextDelta, ToolCallDelta, Usage
from piproxy.framing.sse import Frame
from piproxy.jsontext import Json, as_count, as_object, as_text
from piproxy.wire.mistral_conversations.calls import Calls
from piproxy.wire.mistral_conversations.failure import cut_short, stopped_with_error, stream_failure
from piproxy.wire.mistral_conversations.notes import Notes, notes_of
from piproxy.wire.room import AnswerParser, StreamParser, WireRequest

_FINISH: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


def stream_parser(request: WireRequest, content_type: str) -> StreamParser:  # noqa: ARG001 - the first byte tells more
    """A new parser."""
    return MistralParser(notes_of(request))


class MistralParser(AnswerParser):
    """One answer; it is complete at ``[DONE]``, or at its end if a finish reason came."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self._calls = Calls(notes.wire_id)
        self._started = False
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._said = 0
        self._thought = 0

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._usage or (self._estimate() if self._started else None)

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        text = frame.data.strip()
        if text == "[DONE]":
            if not self._started:
                raise UpstreamBroken("The provider sent an empty answer.")
            self._finish(events)
        elif text:
            self._chunk(_object(text), events)

    def _document(self, body: bytes, events: list[Event]) -> None:
        self._chunk(_object(body), events)

    def _cut_short(self, events: list[Event]) -> None:
        if self._reason is None:
            raise cut_short(self._reader.strays)
        self._finish(events)

    def _chunk(self, chunk: Mapping[str, Json], events: list[Event]) -> None:
        """One chunk of the stream, or the whole answer, which differs in ``message`` for ``delta``."""
        if chunk.get("object") == "error" or chunk.get("error") or ("choices" not in chunk and "usage" not in chunk):
            raise stream_failure(chunk)
        self._usage = _usage(chunk.get("usage")) or self._usage
        if not self._started:
            self._started = True
            events.append(Started(as_text(chunk.get("id")) or None, as_text(chunk.get("model")) or None))
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice, events)

    def _choice(self, choice: Mapping[str, Json], events: list[Event]) -> None:
        said = choice.get("delta") or choice.get("message")
        delta = said if isinstance(said, dict) else {}
        said_now = list(_spoken(delta.get("content")))
        pieces = delta.get("tool_calls")
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                said_now += self._calls.delta(piece)
        self._count(said_now)
        events += said_now
        reason = choice.get("finish_reason")
        if reason == "error":
            raise stopped_with_error()
        if isinstance(reason, str) and reason:
            self._reason = self._reason or reason

    def _count(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case TextDelta():
                    self._said += len(event.text)
                case ReasoningDelta():
                    self._thought += len(event.text)
                case ToolCallDelta():
                    self._said += len(event.arguments)

    def _estimate(self) -> Usage:
        return estimated_usage(self._notes.prompt, self._thought + self._said, self._thought)

    def _finish(self, events: list[Event]) -> None:
        self._finished = True
        self._calls.check()
        events.append(self._usage or self._estimate())
        said = self._reason or "stop"
        reason = _FINISH.get(said, "stop")
        if reason == "stop" and self._calls.started:
            reason = "tool_calls"
        events.append(Finish(reason, None if said in _FINISH else said))


def _spoken(content: Json) -> Iterable[Event]:
    """``content`` is a string, or a list of chunks: text, thinking, references."""
    for chunk in content if isinstance(content, list) else (content,):
        if isinstance(chunk, str):
            if chunk:
                yield TextDelta(chunk)
        elif isinstance(chunk, dict):
            if chunk.get("type") == "thinking":
                if thought := _thought(chunk.get("thinking")):
                    yield ReasoningDelta(thought)
            elif text := as_text(chunk.get("text")):
                yield TextDelta(text)


def _thought(thinking: Json) -> str:
    if isinstance(thinking, str):
        return thinking
    pieces = thinking if isinstance(thinking, list) else ()
    return "".join(as_text(piece.get("text")) for piece in pieces if isinstance(piece, dict))


def _object(text: str | bytes) -> Mapping[str, Json]:
    try:
        value = jsontext.parse(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UpstreamBroken("The provider sent a chunk that is not a JSON object.")
    return value


def _usage(value: Json) -> Usage | None:
    """``prompt_tokens`` include the cached ones, which stand in one of three places."""
    if not isinstance(value, dict) or not value:
        return None
    details = as_object(value.get("prompt_tokens_details"))
    places = (details, as_object(value.get("prompt_token_details")))
    said = next((place["cached_tokens"] for place in places if place.get("cached_tokens") is not None), None)
    prompt = as_count(value.get("prompt_tokens"))
    read = min(prompt, as_count(value.get("num_cached_tokens") if said is None else said))
    audio = as_count(details.get("audio_tokens"))
    return Usage(
        input=prompt - read,
        output=as_count(value.get("completion_tokens")),
        cache_read=read,
        reasoning=as_count(as_object(value.get("completion_tokens_details")).get("reasoning_tokens")),
        total=as_count(value.get("total_tokens")) or None,
        details={"prompt": {"audio_tokens": audio}} if audio else None,
    )
