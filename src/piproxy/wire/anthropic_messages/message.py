"""One answer as it grows: its content blocks, counts and end (wire-native-apis.md, 2.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

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
from piproxy.functiontools import free_text
from piproxy.jsontext import Json, as_text
from piproxy.toolids import unrepeated
from piproxy.wire.anthropic_messages import replay
from piproxy.wire.anthropic_messages.blocks import (
    Block,
    CallBlock,
    IgnoredBlock,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
)
from piproxy.wire.anthropic_messages.notes import Notes
from piproxy.wire.anthropic_messages.usage import Tally

FINISH: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}
_PLAIN: Final = frozenset(("end_turn", "max_tokens", "tool_use"))
"""Stop reasons that ``finish_reason`` says just as well."""


class Message:
    """What the stream's events do; each method gives the events that the client is to see."""

    def __init__(self, notes: Notes) -> None:
        self.replay: Mapping[str, Json] = {}
        """After the end: see :attr:`piproxy.wire.room.StreamParser.replay`."""
        self.started = False
        self.done = False
        self._notes = notes
        self._tally = Tally()
        self._open: dict[int, Block] = {}
        self._blocks: list[Block] = []
        self._calls = 0
        self._ids: set[str] = set()
        self._thoughts = 0
        self._stop: dict[str, Json] = {}

    def _begin(self, message: Mapping[str, Json]) -> Iterator[Event]:
        if not self.started:
            self.started = True
            yield Started(as_text(message.get("id")) or None, as_text(message.get("model")) or None)

    def start(self, message: Json) -> Iterator[Event]:
        """``message_start``, whose content is normally empty, or a whole message."""
        if not isinstance(message, dict):
            raise UpstreamBroken("The provider began a message without a message.")
        yield from self._begin(message)
        self._tally.add(message.get("usage"))
        content = message.get("content")
        for at, block in enumerate(content if isinstance(content, list) else ()):
            yield from self.block_start(-1 - at, block)
            yield from self._close(self._open.pop(-1 - at, None))
        self._note_stop(message)

    def block_start(self, index: Json, given: Json) -> Iterator[Event]:
        """``content_block_start``, which may hold content already."""
        yield from self._begin({})
        if not isinstance(index, int) or not isinstance(given, dict):
            raise UpstreamBroken("The provider began a content block without saying which.")
        yield from self._close(self._open.pop(index, None))
        block: Block
        match given.get("type"):
            case "text":
                block = TextBlock()
                self._add(index, block)
                yield from self._said(block, as_text(given.get("text")))
            case "thinking":
                block = ThinkingBlock(signature=[as_text(given.get("signature"))])
                self._add(index, block)
                yield from self._thought(block, as_text(given.get("thinking")))
            case "redacted_thinking":
                self._add(index, RedactedBlock(as_text(given.get("data"))))
            case "tool_use":
                yield from self._call(index, given)
            case "fallback":
                if self._blocks:
                    raise UpstreamBroken("The provider changed to another model in the middle of the answer.")
            case _:
                self._add(index, IgnoredBlock())

    def _add(self, index: int, block: Block) -> None:
        self._open[index] = block
        self._blocks.append(block)

    def _call(self, index: int, given: Mapping[str, Json]) -> Iterator[Event]:
        wire_name = as_text(given.get("name"))
        if not wire_name:
            raise UpstreamBroken("The provider called a tool without a name.")
        if wire_name == self._notes.answer_tool:
            self._add(index, CallBlock("", wire_name, None, input=given.get("input")))
            return
        name = self._notes.client_names.get(wire_name.lower(), wire_name)
        id = self._fresh_id(as_text(given.get("id")))  # noqa: A001
        call = CallBlock(id, name, self._calls, custom=name in self._notes.custom, input=given.get("input"))
        self._calls += 1
        self._add(index, call)
        yield ToolCallStart(self._calls - 1, id, name, custom=call.custom)

    def _fresh_id(self, id: str) -> str:
        """The client's id of a new call: never empty, never the same twice."""
        known = self._notes.ids.to_client(id) if id else f"toolu_{self._notes.wire_id or 'call'}_{self._calls}"
        return unrepeated(known, self._ids)

    def block_delta(self, index: Json, delta: Json) -> Iterator[Event]:
        """``content_block_delta``."""
        if not isinstance(index, int) or not isinstance(delta, dict):
            raise UpstreamBroken("The provider sent a delta without saying of which block.")
        block = self._open.get(index)
        match delta.get("type"), block:
            case "text_delta", TextBlock():
                yield from self._said(block, as_text(delta.get("text")))
            case "text_delta", None | ThinkingBlock() | RedactedBlock():  # a block that was never announced
                yield from self.block_start(index, {"type": "text", "text": delta.get("text")})
            case "thinking_delta", ThinkingBlock():
                yield from self._thought(block, as_text(delta.get("thinking")))
            case "thinking_delta", None | TextBlock() | RedactedBlock():
                yield from self.block_start(index, {"type": "thinking", "thinking": delta.get("thinking")})
            case "signature_delta", ThinkingBlock():
                block.signature.append(as_text(delta.get("signature")))
            case "input_json_delta", CallBlock():
                yield from self._argued(block, as_text(delta.get("partial_json")))
            case "input_json_delta", None:
                raise UpstreamBroken("The provider sent arguments of a call that it never began.")
            case _:  # citations, deltas of server tools, and whatever the API adds
                pass

    def block_stop(self, index: Json) -> Iterator[Event]:
        """``content_block_stop``."""
        if not isinstance(index, int):
            raise UpstreamBroken("The provider ended a content block without saying which.")
        yield from self._close(self._open.pop(index, None))

    def _said(self, block: TextBlock, text: str) -> Iterator[Event]:
        if text:
            block.pieces.append(text)
            yield TextDelta(text)

    def _thought(self, block: ThinkingBlock, text: str) -> Iterator[Event]:
        if text:
            block.pieces.append(text)
            yield ReasoningDelta(text)

    def _argued(self, call: CallBlock, text: str) -> Iterator[Event]:
        if not text:
            return
        call.pieces.append(text)
        if call.number is None:
            yield TextDelta(text)
        elif not call.custom:
            yield ToolCallDelta(call.number, text)

    def _close(self, block: Block | None) -> Iterator[Event]:
        match block:
            case CallBlock():
                yield from self._argued(block, block.rest())
                if block.custom and block.number is not None and (text := free_text("".join(block.pieces))):
                    yield ToolCallDelta(block.number, text)
            case ThinkingBlock() | RedactedBlock():
                kept = _kept(block)
                if kept.get("signature") or kept.get("data"):
                    yield ReasoningOpaque(replay.detail(kept, self._thoughts, self._notes.model))
                self._thoughts += 1
            case _:
                pass

    def delta(self, event: Mapping[str, Json]) -> None:
        """``message_delta``: counts, and why the answer ends."""
        self._tally.add(event.get("usage"))
        delta = event.get("delta")
        if isinstance(delta, dict):
            self._note_stop(delta)

    def _note_stop(self, given: Mapping[str, Json]) -> None:
        for name in ("stop_reason", "stop_sequence", "stop_details"):
            if given.get(name) is not None:
                self._stop[name] = given[name]

    def finish(self) -> Iterator[Event]:
        """``message_stop``."""
        stop = self._stop.get("stop_reason")
        if not isinstance(stop, str) or not stop:
            raise UpstreamBroken("The provider ended its message without a stop reason.")
        for index in sorted(self._open):
            yield from self._close(self._open[index])
        self._open.clear()
        self.done = True
        self.replay = self._remember()
        yield self._tally.total() or self._estimate()
        reason = FINISH.get(stop, "stop")
        if reason == "tool_calls" and self._notes.answer_tool is not None and not self._calls:
            reason = "stop"
        elif reason == "stop" and self._calls:
            reason = "tool_calls"
        yield Finish(reason, None if stop in _PLAIN and len(self._stop) == 1 else dict(self._stop))

    @property
    def usage_so_far(self) -> Usage | None:
        """The prompt is counted in the first event, the output only in the last one: until then by characters."""
        counted = self._tally.total()
        if counted is None:
            return self._estimate() if self.started else None
        if self.done:
            return counted
        return replace(counted, output=max(counted.output, self._estimate().output), estimated=True)

    def _estimate(self) -> Usage:
        texts = [block for block in self._blocks if isinstance(block, TextBlock | ThinkingBlock | CallBlock)]
        said = sum(len(piece) for block in texts for piece in block.pieces)
        thought = sum(len(piece) for block in texts if isinstance(block, ThinkingBlock) for piece in block.pieces)
        return estimated_usage(self._notes.prompt, said, thought)

    def _remember(self) -> dict[str, Json]:
        """The layout of a message that thinks and calls tools, under its first call's id."""
        first = next((b for b in self._blocks if isinstance(b, CallBlock) and b.number is not None), None)
        if first is None or not self._thoughts:
            return {}
        return {first.id: replay.layout(self._notes.model, [kept for b in self._blocks if (kept := _kept(b))])}


def _kept(block: Block) -> dict[str, Json]:
    """A block as it is remembered; empty for one that is not."""
    match block:
        case TextBlock():
            return {"type": "text", "text": "".join(block.pieces)}
        case ThinkingBlock():
            return {"type": "thinking", "thinking": "".join(block.pieces), "signature": "".join(block.signature)}
        case RedactedBlock():
            return {"type": "redacted_thinking", "data": block.data}
        case CallBlock() if block.number is not None:
            return {"type": "tool_use", "id": block.id}
        case _:
            return {}
