"""Gemini's answer -> events (wire reference, 3.5).

The stream has no end mark: the connection closes. An answer is complete when a ``finishReason`` was seen, and the usage
may still follow it, so :class:`~piproxy.events.Finish` is given at the end of the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from piproxy.functiontools import free_text
from piproxy.jsontext import Json, as_count
from piproxy.wire.google_generative_ai.body import DocumentReader
from piproxy.wire.google_generative_ai.failure import failure_in
from piproxy.wire.google_generative_ai.signatures import extra_content, reasoning_detail
from piproxy.wire.room import FrameParser, StreamParser, WireRequest

_FINISH: Final[Mapping[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "LANGUAGE": "content_filter",
}
"""Every other reason is a failure of the model or of the provider."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What the parser must know about the request."""

    wire_id: str = ""
    """Where made-up tool-call ids come from."""
    custom: frozenset[str] = frozenset()
    """Names of free-text tools."""
    prompt: Chat | None = None
    """For an estimate, when the provider counts nothing."""


def stream_parser(request: WireRequest, content_type: str) -> StreamParser:
    """A parser of one answer; the form is told by its bytes, not by ``content_type``, which gateways get wrong."""
    del content_type
    notes = request.notes
    return _Parser(notes if isinstance(notes, Notes) else Notes())


class _Parser(FrameParser[dict[str, Json]]):
    def __init__(self, notes: Notes) -> None:
        super().__init__(DocumentReader())
        self._notes = notes
        self._said = 0
        self._reasoned = 0
        self._started = False
        self._ids: set[str] = set()
        self._made_up = 0
        self._usage: Usage | None = None
        self._reason: str | None = None
        self._finish_message: str | None = None
        self._blocked: ProviderError | None = None

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._usage or (self._estimate() if self._started else None)

    def _estimate(self) -> Usage:
        return estimated_usage(self._notes.prompt, self._said, self._reasoned)

    def _ended(self, events: list[Event]) -> None:
        if self._reason is None:
            raise self._blocked or UpstreamBroken("The provider's answer ended without a finish reason.")
        self._finished = True
        events.append(self._usage or self._estimate())
        reason = _FINISH[self._reason]
        if reason == "stop" and self._ids:
            reason = "tool_calls"
        events.append(Finish(reason, self._detail(reason)))

    def _frame(self, frame: dict[str, Json], events: list[Event]) -> None:
        if frame.get("error"):
            raise failure_in(frame)
        candidate = _candidate(frame)
        feedback = frame.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._blocked = _blocked(feedback)
            if candidate is None and not self._started:
                raise self._blocked
        reason = candidate.get("finishReason") if candidate else None
        if isinstance(frame.get("usageMetadata"), dict):
            self._usage = _usage(frame["usageMetadata"])
        parts = _parts(candidate)
        if not self._started and (parts or reason is None or reason in _FINISH):  # else a failure from the start
            self._started = True
            events.append(Started(_text(frame.get("responseId")), _text(frame.get("modelVersion"))))
        for part in parts:
            self._part(part, events)
        if candidate and isinstance(reason, str):
            message = _text(candidate.get("finishMessage"))
            if reason not in _FINISH:
                raise ProviderError(f"The model stopped with {reason}." + (f" {message}" if message else ""))
            self._reason, self._finish_message = reason, message

    def _part(self, part: Mapping[str, Json], events: list[Event]) -> None:
        signature = _text(part.get("thoughtSignature"))
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._call(call, signature, events)
            return
        text = part.get("text")
        if isinstance(text, str) and text:
            thought = part.get("thought") is True
            self._said += len(text)
            self._reasoned += len(text) if thought else 0
            events.append(ReasoningDelta(text) if thought else TextDelta(text))
        if signature and isinstance(text, str):
            events.append(ReasoningOpaque(reasoning_detail(signature)))

    def _call(self, call: Mapping[str, Json], signature: str | None, events: list[Event]) -> None:
        name = _text(call.get("name"))
        if not name:
            raise UpstreamBroken("The provider sent a function call without a name.")
        index = len(self._ids)
        call_id = self._own_id(_text(call.get("id")))
        extra = extra_content(signature) if signature else None
        if extra:
            self.replay = {**self.replay, call_id: extra}
        args = call.get("args")
        text = jsontext.dump({} if args is None else args).decode()
        self._said += len(name) + len(text)
        custom = name in self._notes.custom
        events.append(ToolCallStart(index, call_id, name, custom=custom, extra_content=extra))
        if text := free_text(text) if custom else text:
            events.append(ToolCallDelta(index, text))

    def _own_id(self, given: str | None) -> str:
        """The provider's id, if it sent one and only once, else one of ours."""
        call_id = given
        while not call_id or call_id in self._ids:
            self._made_up += 1
            call_id = "_".join(filter(None, ("call", self._notes.wire_id[:28], str(self._made_up))))
        self._ids.add(call_id)
        return call_id

    def _detail(self, reason: FinishReason) -> Json:
        if reason != "content_filter":
            return None
        return {"finish_reason": self._reason, "message": self._finish_message}


def _candidate(document: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The first candidate; we never ask for more."""
    candidates = document.get("candidates")
    if not isinstance(candidates, list):
        return None
    return next((c for c in candidates if isinstance(c, dict) and not c.get("index")), None)


def _parts(candidate: Mapping[str, Json] | None) -> Sequence[Mapping[str, Json]]:
    content = candidate.get("content") if candidate else None
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _blocked(feedback: Mapping[str, Json]) -> ProviderError:
    reason = f"The provider blocked the prompt: {feedback['blockReason']}."
    message = _text(feedback.get("blockReasonMessage"))
    return ProviderError(
        f"{reason} {message}" if message else reason, status=400, type="invalid_request_error", code="content_filter"
    )


def _usage(usage: Mapping[str, Json]) -> Usage:
    """``promptTokenCount`` includes the cached ones; thoughts are counted beside the candidates (wire ref., 1.7)."""
    cached = as_count(usage.get("cachedContentTokenCount"))
    prompt = as_count(usage.get("promptTokenCount")) + as_count(usage.get("toolUsePromptTokenCount"))
    thoughts = as_count(usage.get("thoughtsTokenCount"))
    total = usage.get("totalTokenCount")
    return Usage(
        input=max(0, prompt - cached),
        output=as_count(usage.get("candidatesTokenCount")) + thoughts,
        cache_read=cached,
        reasoning=thoughts,
        total=total if isinstance(total, int) else None,
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
