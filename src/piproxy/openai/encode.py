"""From events to OpenAI's answers: chunks of a stream (wire reference, 9.1), or one whole object.

:class:`StreamEncoder` and :class:`Fold` have the same interface, so that an exchange need not know which it feeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from piproxy.errors import PiproxyError
from piproxy.events import (
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    ReasoningDelta,
    ReasoningOpaque,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.jsontext import Json, dump
from piproxy.openai import failures
from piproxy.openai.answer import Calls, Details, call_object, joined
from piproxy.openai.usage import usage_object

Price: TypeAlias = Callable[[Usage], float | None]

_DONE: Final = b"data: [DONE]\n\n"
_HIGHEST: Final = "\ud7ff"
"""The last character before the halves of surrogate pairs."""


class StreamEncoder:
    """Events in, SSE frames out; one chunk per event. A chunk's constant head and tail are made once per stream.

    ``opaque`` shows signed thinking as ``reasoning_details``; see :class:`Details`.
    """

    def __init__(
        self, *, id: str, model: str, created: int, include_usage: bool, price: Price, opaque: bool = False
    ) -> None:
        head = dump({"id": id, "object": "chat.completion.chunk", "created": created, "model": model})[:-1]
        self._bare = b"data: " + head + b',"choices":[],"usage":'
        self._head = b"data: " + head + b',"choices":[{"index":0,"delta":'
        self._end = b'}],"usage":null}\n\n' if include_usage else b"}]}\n\n"
        self._tail = b',"logprobs":null,"finish_reason":null' + self._end
        self._text = self._head + b'{"content":'
        self._text_tail = b"}" + self._tail
        self._include_usage = include_usage
        self._price = price
        self._calls = Calls()
        self._details = Details() if opaque else None
        self._halves: dict[str | int, str] = {}
        self._begun = False
        self.done = False
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        """The frames of these events, joined."""
        if len(events) == 1 and type(event := events[0]) is TextDelta and self._begun and event.text and not self.done:
            return self._text + dump(event.text) + self._text_tail  # as nearly always
        frames: list[bytes] = []
        for event in events:
            if self.done:
                break
            if not self._begun:
                self._begun = True
                frames.append(self._head + b'{"role":"assistant","content":""}' + self._tail)
            if type(event) is TextDelta:
                text = event.text
                if text and (text[-1] > _HIGHEST or self._halves):
                    text = joined(self._halves, "content", text)
                if text:
                    frames.append(self._text + dump(text) + self._text_tail)
            else:
                frames.append(self._other(event))
        return b"".join(frames)

    def fail(self, error: PiproxyError) -> bytes:
        """One error frame and the end (decision 4 of the design)."""
        if self.done:
            return b""
        self.done = True
        return failures.frame(error)

    def keep_alive(self) -> bytes:
        """A comment, which no client shows; only between events, never in one."""
        return b"" if self.done else b": keep-alive\n\n"

    def _other(self, event: Event) -> bytes:
        match event:
            case ReasoningDelta(text):
                return self._said("reasoning_content", text)
            case ToolCallDelta(index, arguments):
                return self._said(index, arguments)
            case ToolCallStart():
                self._calls.start(event)
                return self._chunk(dump({"tool_calls": [{"index": event.index, **call_object(event, "")}]}))
            case RefusalDelta(text):
                return self._said("refusal", text)
            case LogprobsDelta(value):
                return self._head + b'{},"logprobs":' + dump(value) + b',"finish_reason":null' + self._end
            case Usage():
                self.usage = event
            case Finish(reason):
                return self._finish(reason)
            case ReasoningOpaque(value):
                items = self._details.add(value) if self._details else []
                return b"".join(self._chunk(b'{"reasoning_details":' + dump([item]) + b"}") for item in items)
            case Started() | TextDelta():
                pass
        return b""

    def _said(self, channel: str | int, text: str) -> bytes:
        """A piece for a member of the message, or for the call of that index."""
        if text and (text[-1] > _HIGHEST or self._halves):
            text = joined(self._halves, channel, text)
        return self._piece(channel, text) if text else b""

    def _piece(self, channel: str | int, text: str) -> bytes:
        if isinstance(channel, int):
            return self._arguments(channel, text)
        return self._chunk(b'{"%b":%b}' % (channel.encode(), dump(text)))

    def _chunk(self, delta: bytes) -> bytes:
        return self._head + delta + self._tail

    def _arguments(self, index: int, text: str) -> bytes:
        self._calls.text(index)
        member = b"custom" if self._calls.made[index].custom else b"function"
        key = b"input" if self._calls.made[index].custom else b"arguments"
        start = b'{"tool_calls":[{"index":%d,"%b":{"%b":' % (index, member, key)
        return self._chunk(start + dump(text) + b"}}]}")

    def _finish(self, reason: FinishReason) -> bytes:
        frames = [self._piece(channel, half) for channel, half in self._halves.items()]
        frames += [self._arguments(index, "{}") for index in self._calls.empty(reason)]
        self.finish = self._calls.reason(reason)
        self.done = True
        frames.append(self._head + b'{},"logprobs":null,"finish_reason":' + dump(self.finish) + self._end)
        if self._include_usage and self.usage is not None:
            frames.append(self._bare + dump(usage_object(self.usage, self._price(self.usage))) + b"}\n\n")
        frames.append(_DONE)
        return b"".join(frames)


class Fold:
    """Events in, one ``chat.completion`` object out, when :class:`Finish` came; parameters as above."""

    def __init__(
        self, *, id: str, model: str, created: int, include_usage: bool, price: Price, opaque: bool = False
    ) -> None:
        del include_usage  # a whole answer always has its usage
        self._id = id
        self._model = model
        self._created = created
        self._price = price
        self._calls = Calls()
        self._details = Details() if opaque else None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._arguments: dict[int, list[str]] = {}
        self._logprobs: dict[str, list[Json]] = {}
        self.done = False
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        """``b""`` until the answer is complete, then all of it."""
        for event in events:
            if self.done:
                break
            match event:
                case TextDelta(text):
                    self._text.append(text)
                case ReasoningDelta(text):
                    self._reasoning.append(text)
                case RefusalDelta(text):
                    self._refusal.append(text)
                case ToolCallStart(index):
                    self._calls.start(event)
                    self._arguments[index] = []
                case ToolCallDelta(index, text):
                    self._arguments[index].append(text)
                    if text:
                        self._calls.text(index)
                case LogprobsDelta(value):
                    self._add_logprobs(value)
                case Usage():
                    self.usage = event
                case Finish(reason):
                    return self._finish(reason)
                case ReasoningOpaque(value):
                    if self._details:
                        self._details.add(value)
                case Started():
                    pass
        return b""

    def fail(self, error: PiproxyError) -> bytes:
        """The error object; the status is the exchange's to set."""
        if self.done:
            return b""
        self.done = True
        return dump(failures.error_object(error))

    def keep_alive(self) -> bytes:
        return b""

    def _add_logprobs(self, value: Json) -> None:
        if isinstance(value, dict):
            for name, tokens in value.items():
                if isinstance(tokens, list):
                    self._logprobs.setdefault(name, []).extend(tokens)

    def _finish(self, reason: FinishReason) -> bytes:
        for index in self._calls.empty(reason):
            self._arguments[index].append("{}")
        self.finish = self._calls.reason(reason)
        self.done = True
        message: dict[str, Json] = {
            "role": "assistant",
            "content": "".join(self._text) or None,
            "refusal": "".join(self._refusal) or None,
        }
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._details and self._details.items:
            message["reasoning_details"] = self._details.items
        if self._calls.made:
            message["tool_calls"] = [
                call_object(call, "".join(self._arguments[call.index])) for call in self._calls.made
            ]
        logprobs = {"content": None, "refusal": None, **self._logprobs} if self._logprobs else None
        answer: dict[str, Json] = {
            "id": self._id,
            "object": "chat.completion",
            "created": self._created,
            "model": self._model,
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": self.finish}],
        }
        if self.usage is not None:
            answer["usage"] = usage_object(self.usage, self._price(self.usage))
        return dump(answer)
