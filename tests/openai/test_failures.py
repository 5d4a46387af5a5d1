"""Errors as clients see them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import openai
import pytest

from piproxy import errors
from piproxy.errors import PiproxyError
from piproxy.openai import failures


def _every_kind(kind: type[PiproxyError]) -> list[type[PiproxyError]]:
    """Those of the tree in ``errors.py``; other modules' own kinds have signatures of their own."""
    below = [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    return [kind, *(found for sub in below for found in _every_kind(sub))]


@pytest.mark.parametrize("kind", _every_kind(PiproxyError))
def test_every_error_has_the_same_shape(kind: type[PiproxyError]) -> None:
    """``message``, ``type``, ``param`` and ``code``, and the error's own status; what to do stands in the message."""
    error = kind("What went wrong.")
    advice = " Leave it out, or choose a model whose API has it." if kind is errors.UnsupportedParameter else ""
    status, headers, body = failures.failure(error)
    assert status == error.status
    assert headers["content-type"] == "application/json"
    message = f"What went wrong.{advice}"
    assert json.loads(body) == {"error": {"message": message, "type": error.type, "param": None, "code": error.code}}


def test_what_an_error_knows_is_told() -> None:
    """Param, code, type, status and headers that the error was raised with."""
    error = errors.ProviderError(
        "Slow down.",
        upstream_status=429,
        status=429,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        param="model",
        headers={"retry-after": "3", "x-should-retry": "true"},
    )
    status, headers, body = failures.failure(error)
    assert status == 429
    assert headers == {"content-type": "application/json", "retry-after": "3", "x-should-retry": "true"}
    assert json.loads(body)["error"] == {
        "message": "Slow down.",
        "type": "rate_limit_error",
        "param": "model",
        "code": "rate_limit_exceeded",
    }


def test_an_unforeseen_error_tells_nothing() -> None:
    """A bug is a 500 without its text: that may hold anything."""
    try:
        raise KeyError("sk-secret")
    except KeyError as error:
        answer = failures.failure(error)
    assert answer.status == 500
    assert answer.headers["x-should-retry"] == "false"
    assert b"sk-secret" not in answer.body
    assert b"KeyError" not in answer.body
    assert json.loads(answer.body)["error"]["code"] == "internal_error"


def test_headers_are_not_shared() -> None:
    """The server may add to them."""
    first = failures.failure(errors.NotFound("No."))
    first.headers["x-request-id"] = "1"
    assert "x-request-id" not in failures.failure(errors.NotFound("No.")).headers


def test_an_error_in_a_stream_is_a_frame_and_the_end() -> None:
    """The same object, then ``[DONE]``; text with line ends stays in one frame."""
    frames = failures.frame(errors.UpstreamBroken("a\n\ndata: b"))
    error, done, rest = frames.split(b"\n\n")
    assert json.loads(error.removeprefix(b"data: "))["error"]["message"] == "a\n\ndata: b"
    assert (done, rest) == (b"data: [DONE]", b"")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/embeddings", "unsupported_endpoint"),
        ("/embeddings", "unsupported_endpoint"),
        ("/v1/audio/speech", "unsupported_endpoint"),
        ("/v1/responses/resp_1", "unsupported_endpoint"),
        ("/v1/completions/", "unsupported_endpoint"),
        ("/v1/chat/completion", "unsupported_endpoint"),
        ("/v1/v1/chat/completions", "unsupported_endpoint"),
        ("/v1/", "unsupported_endpoint"),
        ("/v1", "unsupported_endpoint"),
        ("/chat/completion", "not_found"),
        ("/favicon.ico", "not_found"),
        ("/v1embeddings", "not_found"),
    ],
)
def test_unknown_paths(path: str, code: str) -> None:
    """OpenAI's other endpoints get a clear word."""
    error = failures.not_found(path)
    assert (error.status, error.code) == (404, code)
    assert path in error.message


def test_every_endpoint_of_the_sdk_gets_a_clear_word() -> None:
    """Whatever openai-python can ask for, below ``/v1`` or not, is served or named as what piproxy has not."""
    resources = Path(openai.__file__).parent / "resources"
    asked = {
        found[1]
        for module in resources.rglob("*.py")
        for found in re.finditer(r'^\s+(?:path_template\(\s*)?f?"(/[a-z_]+)', module.read_text(), re.MULTILINE)
    } - {"/models", "/chat", "/v"}
    assert {"/responses", "/embeddings", "/fine_tuning", "/vector_stores"} <= asked
    for path in asked:
        for prefix in ("", "/v1"):
            assert failures.not_found(prefix + path).code == "unsupported_endpoint", path


def test_a_401_says_how_to_ask() -> None:
    """HTTP wants ``www-authenticate`` there; no other status has it."""
    assert failures.failure(errors.NotAuthenticated("Who?")).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in failures.failure(errors.Forbidden("No.")).headers


def test_a_long_path_is_cut() -> None:
    """A path is the client's own text and may be long."""
    assert len(failures.not_found("/" + "x" * 5000).message) < 300


def test_a_wrong_method() -> None:
    """405 with ``allow``."""
    status, headers, body = failures.failure(failures.method_not_allowed("GET", "/v1/chat/completions", ["POST"]))
    assert (status, headers["allow"]) == (405, "POST")
    assert json.loads(body)["error"] == {
        "message": "'/v1/chat/completions' does not take GET, but POST.",
        "type": "invalid_request_error",
        "param": None,
        "code": "method_not_allowed",
    }
