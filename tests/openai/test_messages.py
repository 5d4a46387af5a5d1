"""Messages and their parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy import chat
from piproxy.chat import AssistantMessage, Content, Refusal, SystemMessage, Text, ToolMessage, UserMessage
from piproxy.openai.decode import decode


def _one(**message: Any) -> chat.Message:
    (made,) = decode(json.dumps({"model": "m", "messages": [message]}).encode()).chat.messages
    return made


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Hi", "Hi"),
        ("", ""),
        ([], ()),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": ""}], (Text("a"), Text(""))),
    ],
)
def test_content_is_a_string_or_an_array_for_every_role(role: str, content: Any, expected: Content) -> None:
    """A string stays a string, an array stays an array."""
    assert _one(role=role, content=content, tool_call_id="c").content == expected


def test_developer_and_system_keep_their_names() -> None:
    """The room decides what the provider calls them."""
    assert _one(role="developer", content="x") == SystemMessage("x", role="developer")
    assert _one(role="system", content="x", name="ann") == SystemMessage("x", name="ann")
    assert _one(role="user", content="x", name="ann") == UserMessage("x", name="ann")
    assert _one(role="tool", content="x", name="f", tool_call_id="c") == ToolMessage("x", "c", name="f")


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": None},
        {"content": None, "refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None},
        {"tool_calls": []},
        {"content": None, "reasoning_content": None, "reasoning": None, "reasoning_details": None, "parsed": None},
    ],
)
def test_an_assistant_message_may_say_nothing(message: dict[str, Any]) -> None:
    """No ``content`` key, and all the nulls of a dumped SDK object, are fine."""
    assert _one(role="assistant", **message) == AssistantMessage()


def test_tool_calls_keep_their_raw_text() -> None:
    """Arguments are text: broken JSON, big integers and no JSON at all."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0, "n": 12345678901234567890'}},
        {"id": "b", "function": {"name": "g", "arguments": ""}, "index": 0},
        {"id": "c", "function": {"name": "h"}},
        {"id": "d", "type": "custom", "custom": {"name": "sh", "input": " ls\n"}},
        {"id": "e", "custom": {"name": "sh"}, "extra_content": None},
        {
            "id": "f",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "x"}},
        },
    ]
    assert _one(role="assistant", tool_calls=calls) == AssistantMessage(
        tool_calls=(
            chat.ToolCall("a", "f", '{"x": 1.0, "n": 12345678901234567890'),
            chat.ToolCall("b", "g", ""),
            chat.ToolCall("c", "h", ""),
            chat.ToolCall("d", "sh", " ls\n", custom=True),
            chat.ToolCall("e", "sh", "", custom=True),
            chat.ToolCall("f", "f", "{}", extra_content={"google": {"thought_signature": "x"}}),
        )
    )


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "b"}, "b"),
        ({"reasoning_text": "c"}, "c"),
        ({"reasoning_content": "a", "reasoning": "b"}, "a"),
        ({"reasoning_content": "", "reasoning": "b"}, ""),
        ({"reasoning_content": None, "reasoning": "b"}, "b"),
    ],
)
def test_reasoning_comes_back_under_three_names(fields: dict[str, str], reasoning: str) -> None:
    """Whatever a client calls it, the thinking of earlier turns is kept."""
    assert _one(role="assistant", content="x", **fields) == AssistantMessage("x", reasoning=reasoning)


def test_opaque_reasoning_comes_back_untouched() -> None:
    """``reasoning_details`` and a refusal are kept."""
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    made = _one(role="assistant", refusal="No.", reasoning_details=details)
    assert made == AssistantMessage(refusal="No.", reasoning_details=details)


def test_cache_marks_are_kept_on_messages_and_parts() -> None:
    """Anthropic's ``cache_control`` and OpenAI's ``prompt_cache_breakpoint``; the former wins."""
    mark, point = {"type": "ephemeral"}, {"mode": "explicit", "ttl": "12h"}
    assert _one(role="user", content="x", cache_control=mark) == UserMessage("x", cache_control=mark)
    assert _one(role="user", content="x", copilot_cache_control=mark) == UserMessage("x", cache_control=mark)
    made = _one(
        role="system",
        content=[
            {"type": "text", "text": "a", "cache_control": mark},
            {"type": "text", "text": "b", "prompt_cache_breakpoint": point},
            {"type": "text", "text": "c", "prompt_cache_breakpoint": point, "cache_control": mark},
            {"type": "text", "text": "d", "cache_control": None},
        ],
    )
    assert made == SystemMessage((Text("a", mark), Text("b", point), Text("c", mark), Text("d")))


def test_parts_of_other_kinds() -> None:
    """Files, audio and refusals; a tool result may hold an image."""
    assert _one(
        role="user",
        content=[
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        ],
    ) == UserMessage(
        (
            chat.File("data:application/pdf;base64,AA==", None, "a.pdf"),
            chat.File(file_id="file-1"),
            chat.Audio("AA==", "wav"),
        )
    )
    assert _one(role="assistant", content=[{"type": "refusal", "refusal": "No."}]) == AssistantMessage(
        (Refusal("No."),)
    )
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert _one(role="tool", tool_call_id="c", content=[image]) == ToolMessage(
        (chat.Image("data:image/png;base64,AA=="),), "c"
    )


def test_unknown_keys_inside_a_message_are_no_fault() -> None:
    """SDKs and frameworks leave their own there."""
    made = _one(role="user", content="x", id="msg_1", additional_kwargs={}, provider_specific_fields=None)
    assert made == UserMessage("x")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Rain"}, {"type": "text", "text": "y?"}]},
        {"type": "thinking", "thinking": "Rainy?", "signature": "c2ln"},
    ],
)
def test_thinking_parts_of_other_dialects(part: Any) -> None:
    """What Mistral's and Anthropic's clients leave in an assistant message is its reasoning."""
    answer = {"type": "text", "text": "Yes."}
    found = _one(role="assistant", content=[part, answer])
    assert found == AssistantMessage((Text("Yes."),), reasoning="Rainy?")
    assert _one(role="assistant", content=[part]) == AssistantMessage(None, reasoning="Rainy?")
    named = _one(role="assistant", content=[part, answer], reasoning_content="mine")
    assert named == AssistantMessage((Text("Yes."),), reasoning="mine")
