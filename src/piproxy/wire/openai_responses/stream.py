"""The answer of the Responses API -> events (wire reference, 4.3).

Output items are told apart by ``output_index``; several may be open at once. Deltas are passed on as they come; a
``done`` event, a finished item and the terminal event add only what no delta brought.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from piproxy import jsontext
from piproxy.budget import estimated_usage
from piproxy.errors import UpstreamBroken, UpstreamError
from piproxy.events import Event, Finish, FinishReason, ReasoningOpaque, Started, Usage
from piproxy.framing.sse import Frame
from piproxy.jsontext import Json, as_count, as_text
from piproxy.wire.openai_responses import replay
from piproxy.wire.openai_responses.calls import CALL_TYPES, Calls
from piproxy.wire.openai_responses.failure import cut_short, stream_failure
from piproxy.wire.openai_responses.notes import Notes, notes_of
from piproxy.wire.openai_responses.speech import Kind, Speech
from piproxy.wire.openai_responses.usage import counted
from piproxy.wire.room import AnswerParser, StreamParser, WireRequest

_WAITING: Final = ("response.created", "response.queued", "response.in_progress")
"""Nothing is answered yet: a failure may still follow, and should keep its own HTTP status."""
_TERMINAL: Final[Mapping[str, str]] = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""Terminal event -> the status that it means, if the response in it has none. ``done`` is Codex' word."""
_ENDED: Final = frozenset(_TERMINAL.values())
_DELTAS: Final[Mapping[str, tuple[Kind, str]]] = {
    "response.output_text.delta": ("text", "content_index"),
    "response.refusal.delta": ("refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index"),
    "response.reasoning_text.delta": ("reasoning", "content_index"),
}
_PARTS_DONE: Final[Mapping[str, tuple[Kind, str, str]]] = {
    "response.output_text.done": ("text", "content_index", "text"),
    "response.refusal.done": ("refusal", "content_index", "refusal"),
    "response.reasoning_summary_text.done": ("summary", "summary_index", "text"),
    "response.reasoning_text.done": ("reasoning", "content_index", "text"),
}
_INCOMPLETE: Final[Mapping[str, FinishReason]] = {"content_filter": "content_filter"}


def stream_parser(request: WireRequest, content_type: str) -> StreamParser:  # noqa: ARG001 - the first byte tells more
    """A new parser. The content type is not looked at: Codex sends none."""
    return ResponsesParser(notes_of(request))


class ResponsesParser(AnswerParser):
    """One answer."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self._speech = Speech(notes.stops, logprobs=notes.logprobs)
        self._calls = Calls(notes.wire_id)
        self._done_items: dict[int, Mapping[str, Json]] = {}
        self._last_key: Hashable = 0
        self._head: tuple[str | None, str | None] = (None, None)
        self._started = False

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._estimate() if self._started else None

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        text = frame.data.strip()
        if text and text != "[DONE]":
            self._event(_object(text), frame.event, events)

    def _cut_short(self, events: list[Event]) -> None:  # noqa: ARG002 - only the terminal event finishes
        raise cut_short(self._reader.strays)

    def _document(self, body: bytes, events: list[Event]) -> None:
        """A whole response with status 200, or an error in its place."""
        response = _object(body)
        status = as_text(response.get("status"))
        if status in ("queued", "in_progress"):
            raise UpstreamBroken(f"The provider answered with a response that is still {status}.")
        if (response.get("error") and not response.get("output")) or "output" not in response:
            raise stream_failure(response)
        if status in ("failed", "cancelled"):
            raise _failed(response, status)
        self._remember(response)
        self._start(events)
        self._terminal(status if status in _ENDED else "completed", response, events)

    def _event(self, event: Mapping[str, Json], name: str | None, events: list[Event]) -> None:
        type_ = as_text(event.get("type")) or name or ""
        if type_ == "error" or (event.get("error") and not type_):
            raise stream_failure(event)
        response = event.get("response")
        response = response if isinstance(response, dict) else {}
        self._remember(response)
        if type_ in _WAITING:
            return
        if type_ in _TERMINAL:
            said = as_text(response.get("status"))
            status = said if said in _ENDED else _TERMINAL[type_]
            if status in ("failed", "cancelled"):
                raise _failed(response, status)
            self._start(events)
            self._terminal(status, response, events)
            return
        self._start(events)
        self._output(type_, event, events)
        if self._speech.stopped:
            events.append(self._estimate())
            self._finish("stop", None, events)

    def _remember(self, response: Mapping[str, Json]) -> None:
        id_, model = response.get("id"), response.get("model")
        self._head = (
            id_ if isinstance(id_, str) and id_ else self._head[0],
            model if isinstance(model, str) and model else self._head[1],
        )

    def _start(self, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(*self._head))

    def _output(self, type_: str, event: Mapping[str, Json], events: list[Event]) -> None:
        """Everything between the first and the terminal event; what is not known is the provider's own business."""
        key = self._key(event)
        if type_ in _DELTAS:
            kind, index = _DELTAS[type_]
            events += self._speech.delta(
                key, kind, as_count(event.get(index)), as_text(event.get("delta")), event.get("logprobs")
            )
        elif type_ in _PARTS_DONE:
            kind, index, name = _PARTS_DONE[type_]
            events += self._speech.part(key, kind, as_count(event.get(index)), event.get(name))
        elif type_ in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
            events += self._calls.delta(key, as_text(event.get("delta")), custom="custom" in type_)
        elif type_ == "response.function_call_arguments.done":
            events += self._calls.final(key, event.get("arguments"), custom=False)
        elif type_ == "response.custom_tool_call_input.done":
            events += self._calls.final(key, event.get("input"), custom=True)
        elif type_ in ("response.output_item.added", "response.output_item.done"):
            item = event.get("item")
            if isinstance(item, dict):
                self._item(key, item, events, done=type_.endswith("done"))

    def _item(self, key: Hashable, item: Mapping[str, Json], events: list[Event], *, done: bool) -> None:
        type_ = item.get("type")
        if type_ in CALL_TYPES:
            events += self._calls.item(key, item, done=done)
        elif done and type_ == "message":
            events += self._speech.content(key, item.get("content"))
        elif done and type_ == "reasoning":
            events += self._speech.content(key, item.get("summary"))
            events += self._speech.content(key, item.get("content"))
        if done:
            self._done_items[key if isinstance(key, int) else len(self._done_items)] = item

    def _key(self, event: Mapping[str, Json]) -> Hashable:
        """The item that an event is about."""
        index, id_ = event.get("output_index"), event.get("item_id")
        if isinstance(index, int):
            self._last_key = index
        elif isinstance(id_, str):
            self._last_key = id_
        return self._last_key

    def _terminal(self, status: str, response: Mapping[str, Json], events: list[Event]) -> None:
        output = response.get("output")
        items = [item for item in (output if isinstance(output, list) else ()) if isinstance(item, dict)]
        self._unheard(items, events)
        events += self._speech.flush()
        self._calls.check()
        whole = replay.whole_items(self._done_items, items)
        self.replay = replay.remembered(whole, self._notes.model)
        events += [ReasoningOpaque([it]) for it in (replay.opaque(item, self._notes.model) for item in whole) if it]
        usage = counted(response.get("usage"), response.get("service_tier"), self._notes.model)
        events.append(usage or self._estimate())
        details = response.get("incomplete_details")
        if self._speech.stopped or status == "completed":
            self._finish("stop", None, events)
        else:
            why = details.get("reason") if isinstance(details, dict) else None
            self._finish(_INCOMPLETE.get(str(why), "length"), details, events)

    def _unheard(self, items: Sequence[Mapping[str, Json]], events: list[Event]) -> None:
        """What only the terminal event tells."""
        heard = self._speech.has_said("text", "refusal"), self._speech.has_said("summary", "reasoning")
        for at, item in enumerate(items):
            if self._speech.stopped:
                return
            if item.get("type") in CALL_TYPES:
                events += self._calls.in_the_end(at, item)
            elif item.get("type") == "message" and not heard[0]:
                events += self._speech.content(("end", at), item.get("content"))
            elif item.get("type") == "reasoning" and not heard[1]:
                events += self._speech.content(("end", at), item.get("summary"))
                events += self._speech.content(("end", at), item.get("content"))

    def _estimate(self) -> Usage:
        thought = self._speech.size("summary", "reasoning")
        said = self._speech.size("text", "refusal") + self._calls.size + thought
        return estimated_usage(self._notes.prompt, said, thought)

    def _finish(self, reason: FinishReason, detail: Json, events: list[Event]) -> None:
        self._finished = True
        events.append(Finish("tool_calls" if reason == "stop" and self._calls.started else reason, detail))


def _object(text: str | bytes) -> Mapping[str, Json]:
    try:
        value = jsontext.parse(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UpstreamBroken("The provider sent an event that is not a JSON object.")
    return value


def _failed(response: Mapping[str, Json], status: str) -> UpstreamError:
    error = response.get("error")
    if not error:
        return stream_failure({"message": f"The provider's response ended as {status}, without a reason."})
    return stream_failure({"error": error})
