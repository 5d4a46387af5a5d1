from __future__ import annotations

import re
from typing import Any

import pytest

from piproxy import jsontext
from piproxy.chat import (
    AssistantMessage,
    Audio,
    File,
    Image,
    Message,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.model import Model
from piproxy.wire.mistral_conversations.messages import wire_messages

MODEL = Model(
    provider="mistral",
    id="magistral",
    api="mistral-conversations",
    base_url="https://api.mistral.ai",
    reasoning=True,
    input=("text", "image"),
)
PLAIN = Model(provider="mistral", id="m", api="mistral-conversations", base_url="https://api.mistral.ai")
PNG = "data:image/png;base64,AA"
LAST = UserMessage("go on")


def made(*messages: Message, model: Model = MODEL) -> list[Any]:
    """As they stand on the wire."""
    written: list[Any] = jsontext.parse(jsontext.dump(wire_messages((*messages, LAST), model)))
    return written[:-1]


@pytest.mark.parametrize(
    ("part", "want"),
    [
        (Text(" \n x "), {"type": "text", "text": " \n x "}),
        (Image(PNG, "high"), {"type": "image_url", "image_url": PNG}),
        (Image("https://h/a.png"), {"type": "image_url", "image_url": "https://h/a.png"}),
        (
            File("data:application/pdf;base64,AA", None, "a.pdf"),
            {"type": "document_url", "document_url": "data:application/pdf;base64,AA", "document_name": "a.pdf"},
        ),
        (File("AA"), {"type": "document_url", "document_url": "data:application/pdf;base64,AA"}),
        (File(file_id="f1"), {"type": "file", "file_id": "f1"}),
        (Audio("AA", "wav"), {"type": "input_audio", "input_audio": "AA"}),
    ],
)
def test_user_parts(part: Any, want: dict[str, Any]) -> None:
    """Each kind of part has its chunk; the detail of an image has no place."""
    assert made(UserMessage((part,))) == [{"role": "user", "content": [want]}]


def test_plain_texts_stay_strings_and_every_system_message_its_place() -> None:
    """There is no developer role and no name."""
    messages = (SystemMessage("a", "developer", "n"), UserMessage("b", "n"), SystemMessage((Text("c"),)))
    assert made(*messages) == [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "system", "content": [{"type": "text", "text": "c"}]},
    ]


def test_system_messages_alone_leave_something_to_answer() -> None:
    """Mistral refuses a conversation that ends with the system: the user says its last message."""
    assert wire_messages((SystemMessage("a"), SystemMessage("b")), MODEL) == [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_a_model_that_sees_nothing_is_told_so() -> None:
    """A run of images becomes one text."""
    (message,) = made(UserMessage((Image(PNG), Image(PNG))), model=PLAIN)
    assert message["content"] == [{"type": "text", "text": "(image omitted: model does not support images)"}]


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("turn", "content"),
    [
        (AssistantMessage("Hi"), "Hi"),
        (
            AssistantMessage((Text("Hi"), Refusal("No"))),
            [{"type": "text", "text": "Hi"}, {"type": "text", "text": "No"}],
        ),
        (AssistantMessage(None, refusal="No"), [{"type": "text", "text": "No"}]),
        (AssistantMessage("Hi", reasoning="hm"), [THOUGHT, {"type": "text", "text": "Hi"}]),
        (AssistantMessage("", reasoning="hm"), [THOUGHT]),
    ],
)
def test_assistant_turns(turn: AssistantMessage, content: Any) -> None:
    """A string stays one; thinking stands first, in one block."""
    assert made(turn) == [{"role": "assistant", "content": content}]


def test_thinking_is_kept_from_a_model_that_does_not_think() -> None:
    """It would be refused there."""
    assert made(AssistantMessage("Hi", reasoning="hm"), model=PLAIN) == [{"role": "assistant", "content": "Hi"}]


def test_calls_and_results_get_ids_that_mistral_takes() -> None:
    """Nine letters and digits: kept where they fit, hashed where not, and results follow; arguments are untouched."""
    turn = AssistantMessage(None, (ToolCall("aB3dE5fG7", "f", '{"a" :1.0}'), ToolCall("call_1|fc_1", "g", "{}")))
    calls, first, second = made(
        turn, ToolMessage("r", "aB3dE5fG7"), ToolMessage((Text("s"), Image(PNG)), "call_1|fc_1")
    )
    other = calls["tool_calls"][1]["id"]
    assert re.fullmatch("[A-Za-z0-9]{9}", other)
    assert calls == {
        "role": "assistant",
        "tool_calls": [
            {"id": "aB3dE5fG7", "type": "function", "function": {"name": "f", "arguments": '{"a" :1.0}'}},
            {"id": other, "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    assert first == {"role": "tool", "tool_call_id": "aB3dE5fG7", "name": "f", "content": "r"}
    assert second == {
        "role": "tool",
        "tool_call_id": other,
        "name": "g",
        "content": [{"type": "text", "text": "s"}, {"type": "image_url", "image_url": PNG}],
    }


@pytest.mark.parametrize("content", ["", ()])
def test_an_empty_result_says_so(content: Any) -> None:
    """Mistral is not given a result without words."""
    turn = AssistantMessage(None, (ToolCall("aB3dE5fG7", "f", "{}"),))
    assert made(turn, ToolMessage(content, "aB3dE5fG7"))[-1]["content"] == "(no tool output)"


def test_a_custom_call_in_the_history_becomes_a_function_call() -> None:
    """Its text is one argument."""
    turn = AssistantMessage(None, (ToolCall("aB3dE5fG7", "run", "4 + 4", custom=True),))
    (call,) = made(turn, ToolMessage("8", "aB3dE5fG7"))[0]["tool_calls"]
    assert call["function"] == {"name": "run", "arguments": '{"input":"4 + 4"}'}


def test_turns_without_content_are_left_out() -> None:
    """They say nothing, and are refused."""
    assert made(AssistantMessage(""), AssistantMessage(None), UserMessage(())) == []


def test_a_last_assistant_turn_is_to_be_continued() -> None:
    """Mistral refuses it without ``prefix``; one with calls is answered by its results instead."""
    assert wire_messages((UserMessage("a"), AssistantMessage("b")), MODEL)[-1] == {
        "role": "assistant",
        "content": "b",
        "prefix": True,
    }
    turn = AssistantMessage("b", (ToolCall("aB3dE5fG7", "f", "{}"),))
    assert [message.get("prefix") for message in wire_messages((UserMessage("a"), turn), MODEL)] == [None] * 3
