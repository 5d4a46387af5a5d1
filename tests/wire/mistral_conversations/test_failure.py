from __future__ import annotations

import pytest

from piproxy.wire.mistral_conversations.failure import parse_failure


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (
            400,
            b'{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}',
            (400, "1500", "Invalid model: x"),
        ),
        (401, b'{"detail":"Invalid API Key"}', (502, "upstream_auth_error", "Invalid API Key")),
        (
            422,
            b'{"object":"error","message":{"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}}',
            (400, None, "body.seed: Extra inputs are not permitted"),
        ),
        (
            429,
            b'{"object":"error","message":"Requests rate limit exceeded","code":"1300"}',
            (429, "rate_limit_exceeded", "Requests rate limit exceeded"),
        ),
        (
            503,
            b'{"object":"error","message":"Service tier capacity exceeded","code":"3505"}',
            (503, "provider_overloaded", "Service tier capacity exceeded"),
        ),
    ],
)
def test_http_errors(status: int, body: bytes, want: tuple[int, str | None, str]) -> None:
    """A message may be a text, a list of faults, or stand in ``detail``."""
    error = parse_failure(status, {"retry-after": "2"}, body)
    assert (error.status, error.code, error.message) == want
    assert (error.headers.get("retry-after") == "2") == (status in (429, 503))
