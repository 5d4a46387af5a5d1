"""Answers: serialised events of pi's assistant message, ended by ``done`` or ``error`` (wire-native-apis.md, 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from piproxy import jsontext
from piproxy.budget import estimated_usage
from piproxy.errors import UpstreamBroken
from piproxy.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    ReasoningOpaque,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.framing.sse import Frame
from piproxy.functiontools import free_text
from piproxy.jsontext import Json, as_text
from piproxy.toolids import unrepeated
from piproxy.wire.pi_messages import replay
from piproxy.wire.pi_messages.failure import stream_failure
from piproxy.wire.pi_messages.notes import Notes
from piproxy.wire.room import AnswerParser, WireRequest

_FINISH: Final[Mapping[str, FinishReason]] = {"stop": "stop", "length": "length", "toolUse": "tool_calls"}

_Kind = Literal["text", "thinking", "toolcall"]


@dataclass(slots=True)
class _Block:
    kind: _Kind
    pieces: list[str] = field(default_factory=list)
    id: str = ""
    number: int = 0
    """Of a call: its place among the calls."""
    custom: bool = False
    kept: dict[str, Json] = field(default_factory=dict)
    """As it is remembered, once it ended."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def stream_parser(request: WireRequest, content_type: str) -> EventParser:  # noqa: ARG001
    """A new parser; the first byte tells a stream from a document."""
    return EventParser(request.notes if isinstance(request.notes, Notes) else Notes())


class EventParser(AnswerParser):
    """One answer. Blocks are numbered by ``contentIndex``: the next one, or one that exists."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes
        self._blocks: list[_Block] = []
        self._ids: set[str] = set()
        self._thoughts = 0
        self._started = False
        self._usage: Usage | None = None

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`; the backend counts in its last event alone."""
        return self._usage or (self._estimate() if self._started else None)

    def _estimate(self) -> Usage:
        said = sum(len(piece) for block in self._blocks for piece in block.pieces)
        thought = sum(len(piece) for block in self._blocks if block.kind == "thinking" for piece in block.pieces)
        return estimated_usage(self._notes.prompt, said, thought)

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        events.extend(self._event(frame.data))

    def _cut_short(self, events: list[Event]) -> None:  # noqa: ARG002 - only the last event finishes
        raise UpstreamBroken("The provider's stream ended without its last event.")

    def _document(self, body: bytes, events: list[Event]) -> None:  # noqa: ARG002 - see below
        """There is no answer in one piece: a document is an error."""
        try:
            value = jsontext.parse(body)
        except (ValueError, RecursionError):
            raise UpstreamBroken("The provider answered with something that is no stream.") from None
        if isinstance(value, dict) and value.get("error"):
            raise stream_failure(value)

    def _event(self, data: str) -> Iterator[Event]:
        line = data.partition("\n")[0].strip()  # only the first data line of a frame counts
        if line in ("", "[DONE]"):
            return
        try:
            event = jsontext.parse(line)
        except (ValueError, RecursionError):
            raise UpstreamBroken("The provider sent an event that is not JSON.") from None
        if not isinstance(event, dict):
            raise UpstreamBroken("The provider sent an event that is not an object.")
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            raise stream_failure(event)
        if not self._started:
            self._started = True
            yield Started()
        match kind:
            case "text_start" | "thinking_start" | "toolcall_start":
                yield from self._begin(event, kind.removesuffix("_start"))
            case "text_delta" | "thinking_delta" | "toolcall_delta":
                yield from self._more(self._block(event, kind.removesuffix("_delta")), as_text(event.get("delta")))
            case "text_end":
                yield from self._endas_text(self._block(event, "text"), event)
            case "thinking_end":
                yield from self._end_thinking(self._block(event, "thinking"), event)
            case "toolcall_end":
                yield from self._end_call(self._block(event, "toolcall"), event.get("toolCall"))
            case "done":
                yield from self._finish(event)
            case _:  # start, and whatever pi adds
                pass

    def _begin(self, event: Mapping[str, Json], kind: _Kind) -> Iterator[Event]:
        index = event.get("contentIndex")
        if type(index) is not int or not 0 <= index <= len(self._blocks):
            raise UpstreamBroken("The provider began a content block out of order.")
        block = _Block(kind)
        self._blocks[index : index + 1] = [block]
        if kind != "toolcall":
            return
        name = as_text(event.get("toolName"))
        if not name:
            raise UpstreamBroken("The provider called a tool without a name.")
        block.number = len(self._ids)
        made_up = f"call_{self._notes.wire_id or 'pi'}_{len(self._ids)}"
        block.id = unrepeated(as_text(event.get("id")) or made_up, self._ids)
        block.custom = name in self._notes.custom
        yield ToolCallStart(block.number, block.id, name, custom=block.custom)

    def _block(self, event: Mapping[str, Json], kind: str) -> _Block:
        index = event.get("contentIndex")
        if type(index) is not int or not 0 <= index < len(self._blocks) or self._blocks[index].kind != kind:
            raise UpstreamBroken("The provider sent an event for a content block that it never began.")
        return self._blocks[index]

    def _more(self, block: _Block, text: str) -> Iterator[Event]:
        if not text:
            return
        block.pieces.append(text)
        match block.kind:
            case "text":
                yield TextDelta(text)
            case "thinking":
                yield ReasoningDelta(text)
            case "toolcall" if not block.custom:
                yield ToolCallDelta(block.number, text)
            case _:
                pass

    def _rest(self, block: _Block, whole: Json) -> Iterator[Event]:
        """What the end of a block knows beyond its deltas. What was sent already cannot be taken back."""
        if isinstance(whole, str) and whole.startswith(block.text):
            yield from self._more(block, whole[len(block.text) :])

    def _endas_text(self, block: _Block, event: Mapping[str, Json]) -> Iterator[Event]:
        yield from self._rest(block, event.get("content"))
        block.kept = {"type": "text", "text": block.text, **_signature(event, "textSignature")}

    def _end_thinking(self, block: _Block, event: Mapping[str, Json]) -> Iterator[Event]:
        hidden = event.get("redacted") is True
        if not hidden:
            yield from self._rest(block, event.get("content"))
        block.kept = {
            "type": "thinking",
            "thinking": as_text(event.get("content")) or block.text,
            **_signature(event, "thinkingSignature"),
            **({"redacted": True} if hidden else {}),
        }
        if "thinkingSignature" in block.kept:
            yield ReasoningOpaque(replay.detail(block.kept, self._thoughts, self._notes.model))
        self._thoughts += 1

    def _end_call(self, block: _Block, call: Json) -> Iterator[Event]:
        given = call if isinstance(call, dict) else {}
        arguments = given.get("arguments")
        if not block.pieces and isinstance(arguments, dict) and arguments:
            yield from self._more(block, jsontext.dump(arguments).decode())
        if block.custom and (text := free_text(block.text)):
            yield ToolCallDelta(block.number, text)
        extra = {name: given[name] for name in ("thoughtSignature", "namespace") if isinstance(given.get(name), str)}
        block.kept = {"type": "toolCall", "id": block.id, **extra}

    def _finish(self, event: Mapping[str, Json]) -> Iterator[Event]:
        reason = event.get("reason")
        if reason in ("error", "aborted"):  # of the event ``error``, but an answer that failed is never a stop
            raise stream_failure(event)
        if not isinstance(reason, str) or reason == "deferred":
            raise UpstreamBroken("The provider ended without an answer.")
        self._finished = True
        first = next((block for block in self._blocks if block.kind == "toolcall"), None)
        signed = any(name.endswith("Signature") for block in self._blocks for name in block.kept)
        if first is not None and signed:
            self.replay = {
                first.id: replay.layout(self._notes.model, [block.kept for block in self._blocks if block.kept])
            }
        usage = event.get("usage")
        self._usage = _usage(usage) if isinstance(usage, dict) else self._estimate()
        yield self._usage
        said = _FINISH.get(reason, "stop")
        if said == "stop" and self._ids:
            said = "tool_calls"
        yield Finish(said, None if reason in _FINISH else {"reason": reason})


def _usage(given: Mapping[str, Json]) -> Usage:
    def count(name: str) -> int:
        value = given.get(name)
        return value if type(value) is int and value >= 0 else 0

    cost = given.get("cost")
    total = cost.get("total") if isinstance(cost, dict) else None
    return Usage(
        input=count("input"),
        output=count("output"),
        cache_read=count("cacheRead"),
        cache_write=count("cacheWrite"),
        cache_write_1h=count("cacheWrite1h"),
        reasoning=count("reasoning"),
        total=count("totalTokens") or None,
        billed=float(total) if isinstance(total, int | float) and total > 0 else None,
    )


def _signature(event: Mapping[str, Json], name: str) -> dict[str, Json]:
    signature = event.get("contentSignature")
    return {name: signature} if isinstance(signature, str) and signature else {}
