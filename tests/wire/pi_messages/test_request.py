"""Requests of pi's own protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from piproxy import jsontext
from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    File,
    Image,
    Message,
    Refusal,
    ResponseFormat,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import ClientError, InvalidRequest, UnsupportedParameter
from piproxy.model import Model
from piproxy.transcript import NO_RESULT
from piproxy.wire.pi_messages.request import build_request
from piproxy.wire.room import Options

MODEL = Model(
    provider="radius",
    id="balanced",
    api="pi-messages",
    base_url="https://radius.pi.dev/v1/",
    reasoning=True,
    input=("text", "image"),
    max_tokens=1000,
    thinking_level_map={"off": None, "minimal": None, "low": "low", "medium": None, "high": "high", "max": "max"},
    headers={"X-Model": "1"},
)
CALL = ToolCall("call_a|fc_1", "look", '{"at": 1}')


def chat(*messages: Message, **fields: Any) -> Chat:
    return Chat(model="m", messages=messages or (UserMessage("Hi"),), **fields)


def body(asked: Chat, model: Model = MODEL, options: Options | None = None) -> dict[str, Any]:
    parsed: dict[str, Any] = jsontext.parse(build_request(asked, model, options or Options()).body)
    return parsed


def told(*messages: Message, **fields: Any) -> list[dict[str, Any]]:
    """The transcript, without the fields that every message has."""
    every = body(chat(*messages, **fields))["context"]["messages"]
    assert [message.pop("timestamp") for message in every] == list(range(len(every)))
    return [{key: value for key, value in message.items() if key != "usage"} for message in every]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def test_address_and_headers() -> None:
    """A bearer token at ``/messages``; the model entry's headers are not sent."""
    wire = build_request(chat(), MODEL, Options())
    assert (wire.url, wire.auth) == ("https://radius.pi.dev/v1/messages", "bearer")
    assert wire.headers == {"accept": "text/event-stream", "content-type": "application/json"}


def test_the_transcript() -> None:
    """Messages have pi's shape: tools are declared by the system message, ids go through, parts stay apart."""
    assert told(
        SystemMessage("a"),
        SystemMessage((Text("b"), Text("c")), role="developer"),
        UserMessage((Text("see"), Image("data:image/png;base64,AAAA"))),
        AssistantMessage("I look.", (CALL,), refusal="no"),
        ToolMessage("1", "call_a|fc_1"),
        SystemMessage("later"),
        UserMessage(" q\n"),
        tools=(
            Tool("look", None, {"type": "object", "properties": {"at": {}}}),
            Tool("run", "Runs."),
        ),
    ) == [
        {
            "role": "system",
            "content": "a\n\nb\nc",
            "toolsAdded": [
                {"name": "look", "description": "", "parameters": {"type": "object", "properties": {"at": {}}}},
                {"name": "run", "description": "Runs.", "parameters": {"type": "object", "properties": {}}},
            ],
        },
        {"role": "user", "content": [text("see"), {"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
        {
            "role": "assistant",
            "content": [
                text("I look."),
                text("no"),
                {"type": "toolCall", "id": "call_a|fc_1", "name": "look", "arguments": {"at": 1}},
            ],
            "api": "openai-completions",
            "provider": "piproxy",
            "model": "history",
            "stopReason": "toolUse",
        },
        {
            "role": "toolResult",
            "toolCallId": "call_a|fc_1",
            "toolName": "look",
            "content": [text("1")],
            "isError": False,
        },
        {"role": "system", "content": "later"},
        {"role": "user", "content": " q\n"},
    ]


def test_repairs() -> None:
    """The protocol's client repairs nothing, so the proxy does: missing results, orphans, odd arguments."""
    first, called, missing, asked = told(
        ToolMessage("lost", "x"),
        AssistantMessage(
            (Refusal("no"),), (ToolCall("a", "f", "[1]"), ToolCall("b", "f", ""), ToolCall("c", "f", "{"))
        ),
        ToolMessage("1", "a"),
        ToolMessage("2", "b"),
    )[:4]
    assert first == {"role": "user", "content": "lost"}
    assert [call["arguments"] for call in called["content"][1:]] == [{"arguments": "[1]"}, {}, {"arguments": "{"}]
    assert missing["toolCallId"] == "a"
    assert asked["isError"] is False
    assert told(AssistantMessage(None, (CALL,)))[1]["content"] == [text(NO_RESULT)]
    assert told(AssistantMessage(None, (CALL,)))[1]["isError"] is True


SIGNED: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm.", "thinkingSignature": "c2ln"},
    {"type": "text", "text": "I look.", "textSignature": "dA=="},
    {"type": "toolCall", "id": "call_a|fc_1", "thoughtSignature": "dGg="},
]


def test_signatures_come_back_under_the_models_name() -> None:
    """A remembered answer is given back with its signatures, as this model's."""
    kept = {"call_a|fc_1": {"model": "radius/balanced", "blocks": SIGNED}}
    asked = chat(UserMessage("q"), AssistantMessage("I look.", (CALL,)), ToolMessage("1", CALL.id))
    said = body(asked, MODEL, Options(replay=kept))["context"]["messages"][1]
    assert said["content"][:2] == SIGNED[:2]
    assert said["content"][2] == {**SIGNED[2], "name": "look", "arguments": {"at": 1}}
    assert (said["api"], said["provider"], said["model"]) == ("pi-messages", "radius", "balanced")
    other = body(asked, replace(MODEL, id="cheap"), Options(replay=kept))["context"]["messages"][1]
    assert other["content"][0] == text("I look.")
    changed = chat(UserMessage("q"), AssistantMessage("I looked.", (CALL,)), ToolMessage("1", CALL.id))
    assert body(changed, MODEL, Options(replay=kept))["context"]["messages"][1]["content"][0] == text("I looked.")


def test_thinking_that_the_client_echoes() -> None:
    """``reasoning_details`` of this room are taken back, for the same model."""
    item = {"type": "reasoning.text", "format": "pi-messages-v1", "model": "radius/balanced", "block": SIGNED[0]}
    details = [item, {**item, "model": "radius/cheap"}, {"type": "reasoning.text"}, "x"]
    said = told(UserMessage("q"), AssistantMessage("a", reasoning_details=details), UserMessage("r"))[1]
    assert said["content"] == [SIGNED[0], text("a")]
    assert said["provider"] == "radius"


@pytest.mark.parametrize(
    ("fields", "options", "sent"),
    [
        ({}, Options(), {}),
        ({"temperature": 0.5, "max_tokens": 70}, Options(), {"temperature": 0.5, "maxTokens": 70}),
        ({"max_tokens": 70_000}, Options(), {"maxTokens": 1000}),
        ({"reasoning_effort": "medium"}, Options(), {"reasoning": "high"}),
        ({"reasoning_effort": "none"}, Options(), {"reasoning": "low"}),
        ({}, Options(cache="long", session_id="s"), {"cacheRetention": "long", "sessionId": "s"}),
        ({}, Options(cache="none"), {"cacheRetention": "none"}),
        ({"prompt_cache_retention": "24h"}, Options(), {"cacheRetention": "long"}),
        ({"tool_choice": ToolChoice("auto")}, Options(), {}),
        ({"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}, Options(), {"toolChoice": "required"}),
        (
            {"tools": (Tool("f"),), "tool_choice": ToolChoice("named", ("f",))},
            Options(),
            {"toolChoice": {"type": "function", "function": {"name": "f"}}},
        ),
    ],
)
def test_options(fields: dict[str, Any], options: Options, sent: dict[str, Any]) -> None:
    """Only what was asked for is sent; the backend's defaults hold for the rest."""
    assert body(chat(**fields), MODEL, options)["options"] == sent


def test_thinking_off() -> None:
    """A model that can be without thinking, or has none, gets no level."""
    free = replace(MODEL, thinking_level_map={})
    assert body(chat(reasoning_effort="none"), free)["options"] == {}
    blunt = replace(MODEL, reasoning=False)
    assert body(chat(reasoning_effort="high"), blunt)["options"] == {}
    assert build_request(chat(reasoning_effort="high"), blunt, Options()).dropped == ("reasoning_effort",)


def test_allowed_tools() -> None:
    """Only the allowed ones are declared."""
    system = told(tools=(Tool("f"), Tool("g")), tool_choice=ToolChoice("auto", ("g",)))[0]
    assert [tool["name"] for tool in system["toolsAdded"]] == ["g"]


def test_free_text_tools() -> None:
    """They travel as functions with one string, in history, too."""
    call = ToolCall("t", "run", "x = 1", custom=True)
    system, called = told(AssistantMessage(None, (call,)), tools=(Tool("run", custom=True),))[:2]
    assert system["toolsAdded"][0]["parameters"]["required"] == ["input"]
    assert called["content"][0]["arguments"] == {"input": "x = 1"}


@pytest.mark.parametrize(
    ("form", "told_form"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat("json_object"), "one JSON object"),
        (ResponseFormat("json_schema", "x", schema={"type": "array"}), '{"type":"array"}'),
        (ResponseFormat("json_schema", "x", "A list.", {"type": "array"}), "A list."),
    ],
)
def test_forms_are_asked_for(form: ResponseFormat, told_form: str | None) -> None:
    """The protocol has no field for the form of the answer; the system prompt says it."""
    every = told(SystemMessage("a"), UserMessage("q"), response_format=form)
    assert every[0]["content"] == "a" if told_form is None else told_form in every[0]["content"]


def test_what_has_no_place_is_named() -> None:
    """The protocol knows few fields; the others that the client set are listed."""
    asked = chat(top_p=0.5, given=("temperature", "top_p", "stop", "parallel_tool_calls"), extra={"odd": 1})
    assert build_request(asked, MODEL, Options()).dropped == ("top_p", "stop", "parallel_tool_calls", "odd")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (chat(logprobs=True), UnsupportedParameter),
        (chat(logit_bias={"1": 1}), UnsupportedParameter),
        (chat(UserMessage((Image("https://x.example/a.png"),))), InvalidRequest),
        (chat(UserMessage((File("AAAA"),))), UnsupportedParameter),
        (chat(UserMessage((Audio("AAAA", "wav"),))), UnsupportedParameter),
    ],
)
def test_what_cannot_be_carried(asked: Chat, error: type[ClientError]) -> None:
    """A request that would lose its point is refused."""
    with pytest.raises(error):
        build_request(asked, MODEL, Options())


def test_a_grammar_is_told() -> None:
    """The protocol has no place for the grammar of a free-text tool: its description says it."""
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: NUMBER"}}
    system = told(UserMessage("Hi"), tools=(Tool("run", "Runs.", custom=True, format=form),))[0]
    assert system["toolsAdded"][0]["description"] == (
        "Runs.\n\nThe input must follow this lark grammar:\nstart: NUMBER"
    )
