"""What a provider's answer says, in no vendor's words: a small closed set of frozen events.

Order, which every :class:`piproxy.wire.room.StreamParser` keeps: :class:`Started` first, then deltas in the provider's
order, at most one :class:`Usage`, and exactly one :class:`Finish`, last. ``Finish`` is given only when the answer is
known to be complete; an answer that stops short ends in :class:`piproxy.errors.UpstreamBroken`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from piproxy.jsontext import Json

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class Started:
    """The provider began to answer."""

    id: str | None = None
    """The provider's own id of the answer."""
    model: str | None = None
    """The model that really answers, where the provider says so."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningOpaque:
    """Signed or encrypted thinking: nothing to show, needed again when the conversation goes on.

    ``value`` is the room's own shape (a signature, a ``reasoning_details`` list, a redacted block …).
    """

    value: Json


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A call begins. ``index`` is dense from 0 in order of appearance; ``id`` and ``name`` are never empty."""

    index: int
    id: str
    name: str
    custom: bool = False
    """A custom (free-text) tool: its deltas are input text, not JSON arguments."""
    extra_content: Json | None = None
    """Opaque data that must come back with the call, e.g. ``{"google": {"thought_signature": …}}``."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the argument text of call ``index``, byte for byte as the provider sent it."""

    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class LogprobsDelta:
    """``choices[0].logprobs`` of one chunk, in OpenAI's shape."""

    value: Json


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the whole answer. ``input`` excludes cached tokens; ``output`` includes reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    """The part of ``cache_write`` that is kept for an hour (it costs more)."""
    reasoning: int = 0
    total: int | None = None
    """The provider's own total, where it says one."""
    billed: float | None = None
    """What the provider says it charged, in US dollars (OpenRouter)."""
    details: Json | None = None
    """Further ``*_tokens_details`` members in OpenAI's names: ``{"prompt": {…}, "completion": {…}}``."""
    price_factor: float = 1.0
    """What the tier that served the answer costs, against the usual price."""
    estimated: bool = False
    """The provider said nothing; the numbers are counted by characters."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete."""

    reason: FinishReason
    detail: Json | None = None
    """The provider's own words about it, where they say more than ``reason``."""


Event: TypeAlias = (
    Started
    | TextDelta
    | ReasoningDelta
    | ReasoningOpaque
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | LogprobsDelta
    | Usage
    | Finish
)
