"""What the demo provider is asked."""

from __future__ import annotations

import json

import pytest
from fakes.demo import MODELS

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    File,
    Image,
    ResponseFormat,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import UnsupportedParameter
from piproxy.wire.demo.request import build_request
from piproxy.wire.room import Options


def test_conversation_is_in_the_body() -> None:
    """Every message, tool and limit of the chat reaches the provider."""
    chat = Chat(
        model="demo/echo",
        messages=(
            SystemMessage("Be brief."),
            UserMessage((Text("What "), Image("data:image/png;base64,AAAA"), Text("is this?"))),
            AssistantMessage(tool_calls=(ToolCall("call_1", "look", '{"at": "it"}'),)),
            ToolMessage("a cat", "call_1"),
        ),
        tools=(Tool("look", parameters={"type": "object"}),),
        tool_choice=ToolChoice("named", ("look",)),
        response_format=ResponseFormat("json_schema", name="answer", schema={"type": "object"}),
        max_tokens=7,
        stop=("\n",),
    )
    assert json.loads(build_request(chat, MODELS["echo"], Options()).body) == {
        "model": "echo",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "text": "What is this?", "images": 1},
            {"role": "assistant", "text": "", "calls": [{"id": "call_1", "name": "look", "arguments": '{"at": "it"}'}]},
            {"role": "tool", "text": "a cat", "call": "call_1"},
        ],
        "tools": [{"name": "look", "parameters": {"type": "object"}, "custom": False}],
        "tool_choice": {"mode": "named", "names": ["look"]},
        "max_tokens": 7,
        "stop": ["\n"],
        "format": "json",
        "schema": {"type": "object"},
        "thinking": "off",
    }


def test_fields_without_a_place_are_named() -> None:
    """What the demo provider cannot use is dropped by name."""
    chat = Chat(model="demo/echo", messages=(UserMessage("Hi"),), seed=1, stop=("x",), given=("seed", "stop"))
    assert build_request(chat, MODELS["echo"], Options()).dropped == ("seed",)


def test_parts_and_names_that_are_not_looked_at_are_named() -> None:
    """Sounds, documents, names of speakers, and unknown fields that a lenient piproxy lets through."""
    said = UserMessage((Text("Hear"), Audio("AA==", "wav"), File(data="AA==")), name="bob")
    asked = Chat(model="demo/echo", messages=(said, UserMessage((Audio("AA==", "wav"),))), extra={"wobble": 1})
    assert build_request(asked, MODELS["echo"], Options()).dropped == (
        "wobble",
        "messages.name",
        "messages.input_audio",
        "messages.file",
    )


def test_what_an_answer_would_lack_is_refused() -> None:
    """As for every other model whose API has no probabilities."""
    chat = Chat(model="demo/echo", messages=(UserMessage("Hi"),), logprobs=True, given=("logprobs",))
    with pytest.raises(UnsupportedParameter) as caught:
        build_request(chat, MODELS["echo"], Options())
    assert (caught.value.status, caught.value.param) == (422, "logprobs")


def test_thinking_follows_the_effort() -> None:
    """No effort is the provider's default, ``none`` is off, the rest is passed on."""
    for effort, level in ((None, "medium"), ("none", "off"), ("high", "high"), ("xhigh", "high")):
        chat = Chat(model="demo/thinking", messages=(UserMessage("Hi"),), reasoning_effort=effort)
        assert json.loads(build_request(chat, MODELS["thinking"], Options()).body)["thinking"] == level
