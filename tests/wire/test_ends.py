"""What counts as the end of an answer: the table in docs/fields.md, "How an answer ends"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.errors import UpstreamError
from piproxy.events import Finish
from piproxy.model import Model
from piproxy.wire.room import Options
from piproxy.wire.rooms import room_for

CHAT = Chat(model="m", messages=(UserMessage("Hi"),), stream=True)
CALL = {"id": "abc123def", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": 0}


def sse(value: Any) -> bytes:
    return b"data: " + (value.encode() if isinstance(value, str) else json.dumps(value).encode()) + b"\n\n"


def choice(reason: str | None = None, **delta: Any) -> bytes:
    """One chunk of a chat completion."""
    said = {"index": 0, "delta": {"content": "x", **delta}, "finish_reason": reason}
    return sse({"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [said]})


def google(reason: str) -> bytes:
    return sse({"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": reason}]})


def claude(reason: str | None) -> bytes:
    start = {"type": "message_start", "message": {"id": "1", "model": "m", "content": []}}
    return sse(start) + sse({"type": "message_delta", "delta": {"stop_reason": reason}}) + sse({"type": "message_stop"})


def response(reason: str) -> bytes:
    said = {"id": "1", "model": "m", "status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    return sse({"type": "response.incomplete", "response": said})


def end(api: str, data: bytes, compat: dict[str, Any] | None = None) -> str:
    """The finish reason, or ``error``."""
    room = room_for(api)
    model = Model(provider="p", id="m", api=api, base_url="http://p.test/v1", compat=compat or {})
    parser = room.stream_parser(room.build_request(CHAT, model, Options()), "text/event-stream")
    try:
        last = [*parser.feed(data), *parser.end()][-1]
    except UpstreamError:
        return "error"
    assert isinstance(last, Finish)
    return last.reason


@pytest.mark.parametrize("api", ["openai-completions", "mistral-conversations"])
@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (choice(), "error"),
        (choice() + sse("[DONE]"), "stop"),
        (choice(tool_calls=[CALL]) + sse("[DONE]"), "tool_calls"),
        (choice("eos"), "stop"),
        (choice("bored") + sse("[DONE]"), "stop"),
        (choice("bored", tool_calls=[CALL]), "tool_calls"),
        (choice("length") + sse("[DONE]"), "length"),
        (choice("error") + sse("[DONE]"), "error"),
    ],
)
def test_completions(api: str, data: bytes, ends: str) -> None:
    """``[DONE]`` declares the end without a reason, a reason without ``[DONE]``; a body that just ends does not."""
    assert end(api, data) == ends


def test_a_provider_that_never_says_how_it_ends() -> None:
    """Its entry in models.json says so, and the end of the body counts."""
    assert end("openai-completions", choice(), {"supportsFinishReason": False}) == "stop"


@pytest.mark.parametrize(
    ("api", "data", "ends"),
    [
        ("anthropic-messages", claude("bored"), "stop"),
        ("anthropic-messages", claude(None), "error"),
        ("google-generative-ai", google("BORED"), "error"),
        ("google-generative-ai", google("SAFETY"), "content_filter"),
        ("google-generative-ai", google("MALFORMED_FUNCTION_CALL"), "error"),
        ("openai-responses", response("bored"), "length"),
        ("pi-messages", sse({"type": "done", "reason": "bored"}), "stop"),
        ("pi-messages", sse({"type": "done", "reason": "aborted"}), "error"),
    ],
)
def test_the_other_apis(api: str, data: bytes, ends: str) -> None:
    """A reason that nobody knows is what the API's own rule makes of it; a missing one is no end."""
    assert end(api, data) == ends
