"""The demo provider's errors before its stream."""

from __future__ import annotations

from piproxy.wire.demo.failure import parse_failure


def test_failure_keeps_status_words_and_pace() -> None:
    """429 stays 429, with the provider's message and when to try again."""
    error = parse_failure(
        429, {"retry-after": "2"}, b'{"error": {"message": "Slow down.", "type": "rate_limit_error"}}'
    )
    assert (error.status, error.message, error.headers) == (429, "Slow down.", {"retry-after": "2"})
