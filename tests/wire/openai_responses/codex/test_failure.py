from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy.wire.openai_responses.codex.failure import parse_failure

DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
NOON = 1795348800


def limit(**members: Any) -> bytes:
    error = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}
    return json.dumps({"error": {**error, **members}}).encode()


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        (limit(resets_at=NOON + 3600), {"date": DATE}, "3600"),
        (limit(resets_at=NOON - 5), {"date": DATE}, "0"),
        (limit(resets_in_seconds=90, resets_at=1), {}, "90"),
        (limit(resets_at=NOON), {}, None),
        (limit(resets_at=NOON), {"date": "yesterday"}, None),
        (limit(resets_at="soon"), {"date": DATE}, None),
        (limit(), {"retry-after": "7"}, "7"),
    ],
)
def test_a_used_up_plan(body: bytes, headers: dict[str, str], wait: str | None) -> None:
    """It is a quota, not a rate; the time until it starts again is reckoned by the provider's own clock."""
    error = parse_failure(429, headers, body)
    assert (error.status, error.code, error.type) == (429, "insufficient_quota", "insufficient_quota")
    assert error.headers.get("retry-after") == wait
    assert error.headers["x-should-retry"] == "false"
    assert error.message.startswith("The usage limit has been reached (plus plan")


def test_the_hint_says_when() -> None:
    """People read minutes."""
    error = parse_failure(429, {"date": DATE}, limit(resets_at=NOON + 3600))
    assert error.message == "The usage limit has been reached (plus plan, try again in ~60 min)"


@pytest.mark.parametrize("body", [b"", b"{}", b'"x"', b"[]"])
def test_a_429_without_words(body: bytes) -> None:
    """Every 429 of this backend is the plan's limit."""
    error = parse_failure(429, {}, body)
    assert error.code == "insufficient_quota"
    assert error.message


def test_other_errors_are_as_everywhere() -> None:
    """FastAPI's ``detail`` is the message."""
    error = parse_failure(400, {}, b'{"detail": "Unsupported parameter: top_p"}')
    assert (error.status, error.message) == (400, "Unsupported parameter: top_p")
    assert parse_failure(404, {}, limit()).code == "insufficient_quota"
