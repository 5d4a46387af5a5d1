"""Bedrock's errors as the client gets them."""

from __future__ import annotations

import json

import pytest

from piproxy.providererror import Complaint
from piproxy.wire.bedrock_converse.failure import failure_in_stream, parse_failure

SUFFIX = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


@pytest.mark.parametrize(
    ("status", "name", "message", "answer", "code"),
    [
        (400, "ValidationException", "Malformed input request.", 400, "ValidationException"),
        (400, "ValidationException", "Input is too long for requested model.", 400, "context_length_exceeded"),
        (400, "ValidationException", "Input Tokens Exceeded: Number of …", 400, "context_length_exceeded"),
        (400, "ValidationException", "The provided model identifier is invalid.", 404, "model_not_found"),
        (403, "AccessDeniedException", "You don't have access.", 502, "upstream_auth_error"),
        (403, "UnrecognizedClientException", "The security token is invalid.", 502, "upstream_auth_error"),
        (403, "ExpiredTokenException", "It is expired.", 502, "upstream_auth_error"),
        (404, "ResourceNotFoundException", "No such thing.", 404, "model_not_found"),
        (408, "ModelTimeoutException", "Too slow.", 504, "timeout"),
        (424, "ModelErrorException", "The model failed.", 502, "upstream_error"),
        (424, "", "Who knows.", 502, "upstream_error"),
        (429, "ThrottlingException", "Too many tokens, please wait.", 429, "rate_limit_exceeded"),
        (429, "ThrottlingException", "Too many tokens per day.", 429, "insufficient_quota"),
        (429, "ModelNotReadyException", "Warming up.", 429, "rate_limit_exceeded"),
        (400, "ServiceQuotaExceededException", "Over the quota.", 429, "insufficient_quota"),
        (500, "InternalServerException", "Oops.", 502, "upstream_error"),
        (503, "ServiceUnavailableException", "Busy.", 503, "provider_overloaded"),
    ],
)
def test_status_and_code(status: int, name: str, message: str, answer: int, code: str) -> None:
    """Each exception has its status and code, and the message is kept."""
    body = json.dumps({"message": message}).encode()
    failure = parse_failure(status, {"x-amzn-errortype": name + SUFFIX} if name else {}, body)
    assert (failure.status, failure.code, failure.message, failure.upstream_status) == (answer, code, message, status)


def test_the_name_may_stand_in_the_body() -> None:
    """``__type`` with its namespace, and a capital ``Message``."""
    body = b'{"__type": "com.amazon.coral.service#ThrottlingException", "Message": "Slow down."}'
    failure = parse_failure(400, {"retry-after": "2"}, body)
    assert (failure.status, failure.message, failure.headers["retry-after"]) == (429, "Slow down.", "2")


def test_a_gateways_page_is_read_as_text() -> None:
    """An HTML answer is an error like any other."""
    failure = parse_failure(403, {}, b"<html><head><title>403 Forbidden</title></head><body>No way.</body></html>")
    assert (failure.status, failure.code) == (502, "upstream_auth_error")
    assert "403 Forbidden" in failure.message


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("throttlingException", 429),
        ("validationException", 400),
        ("serviceUnavailableException", 503),
        ("internalServerException", 502),
        ("modelStreamErrorException", 502),
        ("somethingNew", 502),
        ("", 502),
    ],
)
def test_an_exception_inside_a_stream_is_known_by_its_name(name: str, answer: int) -> None:
    """There is no HTTP status in the middle of a stream."""
    failure = failure_in_stream(name, Complaint("Sorry."))
    assert (failure.status, failure.message, failure.upstream_status) == (answer, "Sorry.", None)


def test_an_exception_without_words_is_named() -> None:
    """A message without a reason says at least which exception it was."""
    assert failure_in_stream("throttlingException", Complaint()).message == "throttlingException"
