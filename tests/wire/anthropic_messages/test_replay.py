"""Thinking that comes back while a tool loop runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.claude import FIREWORKS, OPUS_46, SONNET_45, body, chat

from piproxy import jsontext
from piproxy.chat import AssistantMessage, Content, ToolCall, ToolMessage, UserMessage
from piproxy.events import ReasoningOpaque
from piproxy.model import Model
from piproxy.wire.anthropic_messages.request import build_request
from piproxy.wire.anthropic_messages.stream import stream_parser
from piproxy.wire.room import Options

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "aGlk"}
SECOND = {"type": "thinking", "thinking": "And.", "signature": "bmV4dA=="}
CALLS = (ToolCall("t1", "f", '{"a": 1}'), ToolCall("t2", "f", "{}"))
CONTENT: list[Any] = [
    THOUGHT,
    HIDDEN,
    {"type": "text", "text": "I "},
    {"type": "text", "text": "look."},
    {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    SECOND,
    {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
]


def answer(model: Model = SONNET_45) -> tuple[dict[str, Any], list[Any]]:
    """What the parser remembers of an answer with this content, and what it shows to the client."""
    message = {"id": "m", "type": "message", "content": CONTENT, "stop_reason": "tool_use"}
    parser = stream_parser(build_request(chat(), model, Options()), "application/json")
    parser.feed(jsontext.dump(message))
    events = parser.end()
    shown = [item for event in events if isinstance(event, ReasoningOpaque) for item in event.value]
    return dict(parser.replay), shown


def sent_back(
    said: AssistantMessage, model: Model = SONNET_45, replay: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    results = tuple(ToolMessage("1", call.id) for call in said.tool_calls)
    options = Options(cache="none", replay=replay or {})
    content: list[dict[str, Any]] = body(chat(UserMessage("q"), said, *results), model, options)["messages"][1][
        "content"
    ]
    return content


def test_the_same_message_is_rebuilt_exactly() -> None:
    """A client that gives back text and calls gets its thinking put back in the very places."""
    kept, _ = answer()
    assert sent_back(AssistantMessage("I look.", CALLS), replay=kept) == CONTENT


@pytest.mark.parametrize(
    ("content", "calls", "rest"),
    [
        ("I look", CALLS, 3),
        (None, CALLS, 2),
        ("I look.", CALLS[:1], 2),
        ("I look.", (*CALLS, ToolCall("t3", "f", "{}")), 4),
    ],
)
def test_a_changed_message_keeps_its_thinking(content: Content | None, calls: tuple[ToolCall, ...], rest: int) -> None:
    """When the client changed the message, the thinking stands before what it says now."""
    kept, _ = answer()
    sent = sent_back(AssistantMessage(content, calls), replay=kept)
    assert sent[:3] == [THOUGHT, HIDDEN, SECOND]
    assert len(sent) == 3 + rest


def test_what_the_client_echoes() -> None:
    """A client that gives ``reasoning_details`` back needs no memory of ours."""
    _, shown = answer()
    assert sent_back(AssistantMessage("I look.", CALLS, reasoning_details=shown))[:3] == [THOUGHT, HIDDEN, SECOND]


@pytest.mark.parametrize(
    ("details", "thinking"),
    [
        ([THOUGHT, HIDDEN], [THOUGHT, HIDDEN]),
        ([{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"}], [THOUGHT]),
        ([{"type": "reasoning.text", "text": "Hm.", "format": "anthropic-claude-v1"}], []),
        ([{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "google-gemini-v1"}], []),
        ([{"type": "reasoning.summary", "summary": "x"}, "text", None], []),
        ({"type": "thinking"}, []),
        ("thinking", []),
    ],
)
def test_foreign_details(details: Any, thinking: list[Any]) -> None:
    """Anthropic's own blocks and OpenRouter's items of them are taken; everything else is left out."""
    sent = sent_back(AssistantMessage("a", CALLS, reasoning_details=details))
    assert [block for block in sent if "thinking" in block["type"]] == thinking


def test_another_models_thinking() -> None:
    """A signature is of use only to the model that made it."""
    kept, shown = answer(OPUS_46)
    said = AssistantMessage("I look.", CALLS, reasoning="Hm.", reasoning_details=shown)
    assert [block["type"] for block in sent_back(said, SONNET_45, kept)] == ["text", "tool_use", "tool_use"]


def test_unsigned_thinking() -> None:
    """It goes back only to endpoints that sign nothing."""
    unsigned = {"type": "thinking", "thinking": "Hm.", "signature": ""}
    for model, expected in ((FIREWORKS, [unsigned]), (replace(FIREWORKS, compat={}), [])):
        kept = {"t1": {"model": model.canonical_id, "blocks": [unsigned, {"type": "tool_use", "id": "t1"}]}}
        sent = sent_back(AssistantMessage(None, CALLS[:1]), model, kept)
        assert sent[:-1] == expected


@pytest.mark.parametrize("kept", [{"t1": "x"}, {"t1": {"model": "anthropic/claude-sonnet-4-5", "blocks": None}}])
def test_a_strange_memory(kept: dict[str, Any]) -> None:
    """What another room remembered under the id changes nothing."""
    assert [block["type"] for block in sent_back(AssistantMessage("a", CALLS), replay=kept)] == [
        "text",
        "tool_use",
        "tool_use",
    ]


def test_marks_on_a_rebuilt_message() -> None:
    """The client's cache mark is put on the last block."""
    kept, _ = answer()
    sent = sent_back(AssistantMessage("I look.", CALLS, cache_control={"type": "ephemeral"}), replay=kept)
    assert sent[-1]["cache_control"] == {"type": "ephemeral"}
