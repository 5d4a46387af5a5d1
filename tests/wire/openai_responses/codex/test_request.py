from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from piproxy.chat import Chat, ResponseFormat, SystemMessage, Text, Tool, ToolChoice, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.wire.openai_responses.codex.request import build_request
from piproxy.wire.room import Options

MODEL = Model(
    provider="openai-codex",
    id="gpt-5.6",
    api="openai-codex-responses",
    base_url="https://chatgpt.com/backend-api",
    reasoning=True,
)
CHAT = Chat(model="m", messages=(UserMessage("Hi"),))
ALLOWED = {
    "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "store", "stream",
    "include", "prompt_cache_key", "text",
}  # fmt: skip


def sent(chat: Chat = CHAT, options: Options | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(build_request(chat, MODEL, options or Options()).body)
    assert set(body) <= ALLOWED
    return body


def test_the_smallest_request() -> None:
    """The backend wants all of its fixed fields, and instructions that are not empty."""
    assert sent() == {
        "model": "gpt-5.6",
        "store": False,
        "stream": True,
        "instructions": "You are a helpful assistant.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "text": {"verbosity": "low"},
        "include": ["reasoning.encrypted_content"],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def test_headers() -> None:
    """The account id comes with the credential; a session is named twice."""
    request = build_request(CHAT, MODEL, Options(session_id="s"))
    assert request.headers == {
        "accept": "text/event-stream",
        "content-type": "application/json",
        "originator": "pi",
        "user-agent": "pi/1.5.2 (piproxy)",
        "openai-beta": "responses=experimental",
        "session-id": "s",
        "x-client-request-id": "s",
    }
    assert request.auth == "bearer"
    named = build_request(CHAT, replace(MODEL, headers={"Originator": "me"}), Options())
    assert named.headers["Originator"] == "me"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "https://chatgpt.com/backend-api",
        "https://chatgpt.com/backend-api/",
        "https://chatgpt.com/backend-api/codex",
        "https://chatgpt.com/backend-api/codex/responses/",
    ],
)
def test_addresses(base: str) -> None:
    """However much of the path the base has, it is not doubled."""
    request = build_request(CHAT, replace(MODEL, base_url=base), Options())
    assert request.url == "https://chatgpt.com/backend-api/codex/responses"


def test_opening_system_messages_are_the_instructions() -> None:
    """Later ones stay where they are."""
    messages = (SystemMessage("a\n"), SystemMessage((Text("b"), Text("c"))), UserMessage("d"), SystemMessage("e"))
    body = sent(replace(CHAT, messages=messages))
    assert body["instructions"] == "a\n\n\nb\nc"
    assert body["input"][1] == {"role": "developer", "content": "e"}


def test_system_messages_alone_leave_something_to_answer() -> None:
    """The backend refuses an empty input: the last of them is the user's turn."""
    body = sent(replace(CHAT, messages=(SystemMessage("a"), SystemMessage("b"))))
    assert (body["instructions"], body["input"]) == (
        "a",
        [{"role": "user", "content": [{"type": "input_text", "text": "b"}]}],
    )
    assert sent(replace(CHAT, messages=(SystemMessage("a"),)))["instructions"] == "You are a helpful assistant."


def test_fields_that_the_backend_refuses_are_skipped_and_named() -> None:
    """All of them would be a 400 there."""
    fields: dict[str, Any] = {
        "max_tokens": 5,
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 1.0,
        "frequency_penalty": 1.0,
        "seed": 1,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "service_tier": "flex",
        "store": True,
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit"},
    }
    chat = replace(CHAT, **fields, given=(*fields, "max_completion_tokens"), extra={"truncation": "auto"})
    assert sent(chat) == sent()
    assert build_request(chat, MODEL, Options(cache="long")).dropped == (
        *fields,
        "max_completion_tokens",
        "truncation",
    )


def test_fields_that_it_takes() -> None:
    """Formats, verbosity, tools, effort and the cache key have their places."""
    chat = replace(
        CHAT,
        response_format=ResponseFormat("json_object"),
        verbosity="high",
        tools=(Tool("f"), Tool("g", strict=True)),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        reasoning_effort="high",
        prompt_cache_key="k",
    )
    body = sent(chat)
    assert body["text"] == {"format": {"type": "json_object"}, "verbosity": "high"}
    assert [tool["strict"] for tool in body["tools"]] == [None, True]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["prompt_cache_key"] == "k"


@pytest.mark.parametrize(
    ("fields", "param"), [({"logprobs": True}, "logprobs"), ({"logit_bias": {"1": 1}}, "logit_bias")]
)
def test_what_would_change_the_answer_is_refused(fields: dict[str, Any], param: str) -> None:
    """Probabilities cannot be had here."""
    with pytest.raises(UnsupportedParameter) as caught:
        sent(replace(CHAT, **fields))
    assert caught.value.param == param
