"""Gemini's errors as the client gets them."""

from __future__ import annotations

import json

import pytest

from piproxy.jsontext import Json
from piproxy.wire.google_generative_ai.failure import failure_in, parse_failure


def body(code: int, status: str, message: str, *details: Json) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": details}}).encode()


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.3s"}
DAILY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}],
}


@pytest.mark.parametrize(
    ("status", "name", "message", "answer", "code"),
    [
        (400, "INVALID_ARGUMENT", "Request contains an invalid argument.", 400, "INVALID_ARGUMENT"),
        (400, "FAILED_PRECONDITION", "User location is not supported.", 400, "FAILED_PRECONDITION"),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", 502, "upstream_auth_error"),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            400,
            "context_length_exceeded",
        ),
        (403, "PERMISSION_DENIED", "No access.", 502, "upstream_auth_error"),
        (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta.", 404, "model_not_found"),
        (429, "RESOURCE_EXHAUSTED", "Resource exhausted.", 429, "rate_limit_exceeded"),
        (500, "INTERNAL", "An internal error has occurred.", 502, "upstream_error"),
        (503, "UNAVAILABLE", "The model is overloaded.", 503, "provider_overloaded"),
        (504, "DEADLINE_EXCEEDED", "Deadline expired.", 504, "timeout"),
    ],
)
def test_status_and_code(status: int, name: str, message: str, answer: int, code: str) -> None:
    """Each of Google's codes becomes the client's status and code, and the message is kept."""
    failure = parse_failure(status, {}, body(status, name, message))
    assert (failure.status, failure.code, failure.message, failure.upstream_status) == (answer, code, message, status)


def test_the_delay_stands_in_the_body() -> None:
    """``RetryInfo`` becomes ``retry-after``, rounded up; a header of Google's own wins."""
    raw = body(429, "RESOURCE_EXHAUSTED", "Slow down.", RETRY)
    assert parse_failure(429, {}, raw).headers["retry-after"] == "13"
    assert parse_failure(429, {"retry-after": "4"}, raw).headers["retry-after"] == "4"


def test_a_days_quota_is_not_worth_another_try() -> None:
    """A quota per day is ``insufficient_quota``, whatever delay the body names."""
    failure = parse_failure(429, {}, body(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", DAILY, RETRY))
    assert (failure.status, failure.code, failure.headers["x-should-retry"]) == (429, "insufficient_quota", "false")


def test_an_array_around_the_error_does_not_hide_it() -> None:
    """Without ``alt=sse`` the error comes in an array."""
    raw = b"[" + body(429, "RESOURCE_EXHAUSTED", "Slow down.", RETRY) + b"]"
    failure = parse_failure(429, {}, raw)
    assert (failure.message, failure.headers["retry-after"]) == ("Slow down.", "13")


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b'{"error": []}', b'{"error": {"details": 7}}', b"\xff<html>"])
def test_any_body_makes_an_error(raw: bytes) -> None:
    """Nothing that a gateway sends breaks the reader of errors."""
    assert parse_failure(502, {}, raw).status == 502


@pytest.mark.parametrize(
    ("name", "answer"),
    [("RESOURCE_EXHAUSTED", 429), ("UNAVAILABLE", 503), ("INTERNAL", 502), ("INVALID_ARGUMENT", 400), ("ODD", 502)],
)
def test_an_error_inside_an_answer_is_known_by_its_name(name: str, answer: int) -> None:
    """There is no HTTP status in the middle of a stream."""
    failure = failure_in({"error": {"status": name, "message": "Sorry."}})
    assert (failure.status, failure.message, failure.upstream_status) == (answer, "Sorry.", None)
