"""Error answers of the Messages API."""

from __future__ import annotations

import pytest

from piproxy.wire.anthropic_messages.failure import parse_failure


def body(kind: str, message: str = "The words.") -> bytes:
    return f'{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}'.encode()


@pytest.mark.parametrize(
    ("status", "kind", "answer", "type_", "code"),
    [
        (400, "invalid_request_error", 400, "invalid_request_error", None),
        (401, "authentication_error", 502, "server_error", "upstream_auth_error"),
        (402, "billing_error", 429, "insufficient_quota", "insufficient_quota"),
        (403, "permission_error", 502, "server_error", "upstream_auth_error"),
        (404, "not_found_error", 404, "invalid_request_error", "model_not_found"),
        (413, "request_too_large", 413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", 429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "api_error", 502, "server_error", "upstream_error"),
        (504, "timeout_error", 504, "server_error", "timeout"),
        (529, "overloaded_error", 503, "server_error", "provider_overloaded"),
        (500, "overloaded_error", 503, "server_error", "provider_overloaded"),
        (400, "billing_error", 429, "insufficient_quota", "insufficient_quota"),
    ],
)
def test_documented_errors(status: int, kind: str, answer: int, type_: str, code: str | None) -> None:
    """Each documented error has its status, type and code, and keeps the provider's words."""
    error = parse_failure(status, {"retry-after": "7"}, body(kind))
    assert (error.status, error.type, error.code) == (answer, type_, code)
    assert error.message == "The words."
    assert error.upstream_status == status
    assert ("retry-after" in error.headers) is (answer in (429, 503, 502, 504) and code != "upstream_auth_error")


def test_overflow() -> None:
    """A prompt that is too long is told apart from other bad requests."""
    error = parse_failure(400, {}, body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"))
    assert (error.status, error.code) == (400, "context_length_exceeded")


def test_no_credit() -> None:
    """An empty balance is a 400 there; here it is a quota that trying again does not help."""
    error = parse_failure(400, {}, body("invalid_request_error", "Your credit balance is too low to access the API."))
    assert (error.status, error.code, error.headers["x-should-retry"]) == (429, "insufficient_quota", "false")
    assert "credit balance" in error.message


def test_gateways_answer_html() -> None:
    """A page is read as text."""
    error = parse_failure(502, {}, b"<html><head><title>Bad gateway</title></head></html>")
    assert (error.status, error.message) == (502, "Bad gateway")
