"""Why the upstream stopped, in OpenAI's words (wire reference, 9.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.errors import ProviderError
from piproxy.events import Finish, FinishReason
from piproxy.providererror import Complaint, Kind, provider_error

_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
}
_FAILURES: Final[Mapping[str, Kind]] = {
    "error": "server",
    "network_error": "server",
    "insufficient_system_resource": "overloaded",
    "model_context_window_exceeded": "overflow",
}


def failure(reason: str) -> ProviderError | None:
    """The error that a finish reason stands for, if it stands for one."""
    kind = _FAILURES.get(reason)
    if kind is None:
        return None
    said = Complaint(f"The provider broke off the answer: finish_reason is '{reason}'.", code=reason)
    return provider_error(None, said, kind=kind)


def finish(reason: str | None, *, calls: bool) -> Finish:
    """The last event. ``None`` is inferred; an unknown word becomes ``stop`` and is kept in ``detail``."""
    known = _REASONS.get(reason.lower() if reason else "stop", "stop")
    if known == "stop" and calls:
        known = "tool_calls"
    return Finish(known, None if reason in (None, known) else reason)


def overflow() -> ProviderError:
    """``length`` without a single token: the prompt alone filled the window (Xiaomi says no more than that)."""
    said = Complaint("The prompt fills the model's context window: the provider answered 'length' without any output.")
    return provider_error(None, said, kind="overflow")
