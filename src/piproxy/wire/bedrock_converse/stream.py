"""ConverseStream's answer -> events (wire reference, 5.7).

``messageStop`` is not the last event: ``metadata`` with the usage follows, and :class:`~piproxy.events.Finish` with it.
Text and reasoning blocks have no start event; a block is known by its index.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from piproxy import jsontext
from piproxy.budget import estimated_usage
from piproxy.chat import Chat
from piproxy.errors import ProviderError, UpstreamBroken
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
from piproxy.framing.eventstream import EventStreamReader, Message
from piproxy.functiontools import free_text
from piproxy.jsontext import Json, as_count, as_object
from piproxy.providererror import complaint
from piproxy.redact import redact
from piproxy.wire.bedrock_converse.failure import failure_in_stream
from piproxy.wire.bedrock_converse.reasoning import detail, remembered
from piproxy.wire.room import FrameParser, StreamParser, WireRequest

_FINISH: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
"""Every other reason is a failure of the model."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What the parser must know about the request."""

    model: str = ""
    """The model that signs the thinking: its blocks go back to no other one."""
    custom: frozenset[str] = frozenset()
    """Names of free-text tools: their input comes inside an object, and is given when it is whole."""
    prompt: Chat | None = None
    """For an estimate, when the provider counts nothing."""


@dataclass(slots=True)
class _Block:
    """One content block that is open. ``call`` is the dense index of a tool call; ``hidden`` a server's own tool."""

    call: int | None = None
    custom: bool = False
    hidden: bool = False
    text: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    redacted: list[bytes] = field(default_factory=list)

    def reasoning(self) -> Json:
        """The block as the request wants it back; ``None`` if it was no reasoning or has nothing to prove itself."""
        if self.redacted:
            return {"redactedContent": base64.b64encode(b"".join(self.redacted)).decode()}
        if self.signature:
            return {"reasoningText": {"text": "".join(self.thoughts), "signature": "".join(self.signature)}}
        return None


def stream_parser(request: WireRequest, content_type: str) -> StreamParser:
    """A parser of one answer; ``content_type`` says nothing that the frames do not say better."""
    del content_type
    notes = request.notes
    return _Parser(notes if isinstance(notes, Notes) else Notes())


class _Parser(FrameParser[Message]):
    def __init__(self, notes: Notes) -> None:
        super().__init__(EventStreamReader())
        self._notes = notes
        self._blocks: dict[int, _Block] = {}
        self._calls: list[str] = []
        self._layout: list[Json] = []
        self._signed = False
        self._said = 0
        self._reasoned = 0
        self._usage: Usage | None = None
        self._started = False
        self._stop: str | None = None

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._usage or (self._estimate() if self._started else None)

    def _estimate(self) -> Usage:
        return estimated_usage(self._notes.prompt, self._said, self._reasoned)

    def _ended(self, events: list[Event]) -> None:
        if self._stop is None:
            raise UpstreamBroken("The provider's answer ended without a stop reason.")
        self._finish(events)

    def _frame(self, frame: Message, events: list[Event]) -> None:
        kind = frame.text(":message-type")
        if kind == "exception":
            raise failure_in_stream(frame.text(":exception-type"), complaint(frame.payload))
        if kind == "error":
            said = complaint(frame.text(":error-message").encode())
            raise failure_in_stream(frame.text(":error-code"), said)
        event = _payload(frame)
        match frame.text(":event-type"):
            case "messageStart":
                self._begin(events)
            case "contentBlockStart":
                self._begin(events)
                self._block_start(event, events)
            case "contentBlockDelta":
                self._begin(events)
                self._block_delta(event, events)
            case "contentBlockStop":
                self._block_stop(_index(event), events)
            case "messageStop":
                self._message_stop(event, events)
            case "metadata":
                self._metadata(event, events)
            case _:
                pass

    def _begin(self, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started())

    def _block_start(self, event: Mapping[str, Json], events: list[Event]) -> None:
        self._block_stop(_index(event), events)  # nothing of a block without an end is lost
        block = self._blocks[_index(event)] = _Block()
        start = as_object(event.get("start"))
        use = start.get("toolUse")
        if not isinstance(use, dict):
            block.hidden = "toolResult" in start
            return
        if use.get("type") == "server_tool_use":
            block.hidden = True
            return
        call_id, name = use.get("toolUseId"), use.get("name")
        if not (isinstance(call_id, str) and call_id and isinstance(name, str) and name):
            raise UpstreamBroken("The provider sent a tool call without an id or a name.")
        block.call, block.custom = len(self._calls), name in self._notes.custom
        self._calls.append(call_id)
        events.append(ToolCallStart(block.call, call_id, name, custom=block.custom))

    def _block_delta(self, event: Mapping[str, Json], events: list[Event]) -> None:
        block = self._blocks.setdefault(_index(event), _Block())
        delta = as_object(event.get("delta"))
        if block.hidden:
            return
        text = delta.get("text")
        if isinstance(text, str) and text:
            self._said += len(text)
            block.text.append(text)
            events.append(TextDelta(text))
        piece = as_object(delta.get("toolUse")).get("input")
        if isinstance(piece, str) and piece and block.call is not None:
            self._said += len(piece)
            block.arguments.append(piece)
            if not block.custom:
                events.append(ToolCallDelta(block.call, piece))
        self._reasoning_delta(block, as_object(delta.get("reasoningContent")), events)

    def _reasoning_delta(self, block: _Block, delta: Mapping[str, Json], events: list[Event]) -> None:
        text, signature, redacted = delta.get("text"), delta.get("signature"), delta.get("redactedContent")
        if isinstance(text, str) and text:
            self._said += len(text)
            self._reasoned += len(text)
            block.thoughts.append(text)
            events.append(ReasoningDelta(text))
        if isinstance(signature, str) and signature:
            block.signature.append(signature)
        if isinstance(redacted, str) and redacted:
            try:
                block.redacted.append(base64.b64decode(redacted, validate=True))
            except binascii.Error as error:
                raise UpstreamBroken("The provider sent encrypted reasoning that cannot be read.") from error

    def _block_stop(self, index: int, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        reasoning = block.reasoning()
        if reasoning is not None:
            self._signed = True
            self._layout.append({"reasoningContent": reasoning})
            events.append(ReasoningOpaque(detail(reasoning, self._notes.model)))
        if block.text:
            self._layout.append({"text": "".join(block.text)})
        if block.call is not None:
            self._layout.append({"toolUse": self._calls[block.call]})
            rest = _rest_of_call(block)
            if rest:
                events.append(ToolCallDelta(block.call, rest))

    def _message_stop(self, event: Mapping[str, Json], events: list[Event]) -> None:
        for index in sorted(self._blocks):
            self._block_stop(index, events)
        reason = event.get("stopReason")
        if not isinstance(reason, str) or reason not in _FINISH:
            raise ProviderError(redact(f"The model stopped with {reason}."))
        self._begin(events)
        self._stop = reason

    def _metadata(self, event: Mapping[str, Json], events: list[Event]) -> None:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._usage = _usage(usage)
        if self._stop is not None:
            self._finish(events)

    def _finish(self, events: list[Event]) -> None:
        self._finished = True
        if self._signed and self._calls:
            self.replay = {self._calls[0]: remembered(self._notes.model, self._layout)}
        events.append(self._usage or self._estimate())
        reason = _FINISH[self._stop or ""]
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        events.append(Finish(reason, {"stop_reason": self._stop} if reason == "content_filter" else None))


def _rest_of_call(block: _Block) -> str:
    """What no delta told of a call: ``{}`` for no argument text at all, or the input of a free-text tool."""
    arguments = "".join(block.arguments)
    if block.custom:
        return free_text(arguments)
    return "" if arguments else "{}"


def _payload(message: Message) -> Mapping[str, Json]:
    try:
        value = jsontext.parse(message.payload) if message.payload else {}
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("The provider sent an event that is no JSON.") from error
    if not isinstance(value, dict):
        raise UpstreamBroken("The provider sent an event that is no JSON object.")
    return value


def _index(event: Mapping[str, Json]) -> int:
    index = event.get("contentBlockIndex")
    return index if isinstance(index, int) else 0


def _usage(usage: Mapping[str, Json]) -> Usage:
    """``inputTokens`` excludes what was read from or written to the cache (wire reference, 1.7)."""
    details = usage.get("cacheDetails")
    return Usage(
        input=as_count(usage.get("inputTokens")),
        output=as_count(usage.get("outputTokens")),
        cache_read=as_count(usage.get("cacheReadInputTokens")),
        cache_write=as_count(usage.get("cacheWriteInputTokens")),
        cache_write_1h=sum(
            as_count(item.get("inputTokens"))
            for item in (details if isinstance(details, list) else ())
            if isinstance(item, dict) and item.get("ttl") == "1h"
        ),
        total=as_count(usage.get("totalTokens")) or None,
    )
