"""Errors of the Codex backend: a used-up plan says when it starts again (wire reference, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from piproxy import jsontext
from piproxy.errors import ProviderError
from piproxy.jsontext import Json
from piproxy.providererror import complaint, provider_error

_USED_UP: Final = frozenset(("usage_limit_reached", "usage_not_included", "rate_limit_exceeded"))


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx. A used-up plan is 429 ``insufficient_quota``, with ``retry-after`` if known."""
    said = complaint(body)
    error = _error(body)
    if status != 429 and not {said.code, said.type} & _USED_UP:
        return provider_error(status, said, headers)
    wait = _wait(error, headers)
    passed = headers if wait is None else {**headers, "retry-after": str(wait)}
    message = said.message or "You have hit your ChatGPT usage limit."
    hints = [f"{error['plan_type']} plan"] if isinstance(error.get("plan_type"), str) else []
    if wait is not None:
        hints.append(f"try again in ~{max(1, round(wait / 60))} min")
    if hints:
        message = f"{message} ({', '.join(hints)})"
    return provider_error(status, replace(said, message=message), passed, kind="quota")


def _error(body: bytes) -> Mapping[str, Json]:
    try:
        value = jsontext.parse(body)
    except (ValueError, RecursionError):
        return {}
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _wait(error: Mapping[str, Json], headers: Mapping[str, str]) -> int | None:
    """Seconds until ``resets_at``, by the provider's own clock: this module has none."""
    seconds = error.get("resets_in_seconds")
    if isinstance(seconds, int | float) and seconds >= 0:
        return int(seconds)
    at = error.get("resets_at")
    if not isinstance(at, int | float):
        return None
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    now = now.replace(tzinfo=UTC) if now.tzinfo is None else now
    return max(0, int(at - now.timestamp()))
