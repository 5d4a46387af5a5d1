"""Cache marks on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.claude import FIREWORKS, OTHER, SONNET_45, body, chat

from piproxy.chat import AssistantMessage, Chat, Image, SystemMessage, Text, Tool, ToolCall, ToolMessage, UserMessage
from piproxy.model import Model
from piproxy.wire.room import Options

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TALK = (SystemMessage("a"), SystemMessage("b"), UserMessage("q"))


def marks(sent: Any) -> list[Any]:
    """Every mark in a body, in the order of the prompt, with the block it is on."""
    found: list[Any] = []
    for tool in sent.get("tools", []):
        found += [(tool["name"], tool["cache_control"])] if "cache_control" in tool else []
    for block in [*sent.get("system", []), *(block for turn in sent["messages"] for block in turn["content"])]:
        if isinstance(block, dict) and "cache_control" in block:
            found.append((block.get("text") or block["type"], block["cache_control"]))
        if isinstance(block, dict) and isinstance(block.get("content"), list):
            found += [(inner["text"], inner["cache_control"]) for inner in block["content"] if "cache_control" in inner]
    return found


@pytest.mark.parametrize(
    ("asked", "model", "options", "expected"),
    [
        (
            chat(*TALK, tools=(Tool("f"), Tool("g"))),
            SONNET_45,
            Options(),
            [("g", MARK), ("b", MARK), ("q", MARK)],
        ),
        (chat(*TALK), SONNET_45, Options(cache="long"), [("b", HOUR), ("q", HOUR)]),
        (chat(*TALK, prompt_cache_retention="24h"), SONNET_45, Options(), [("b", HOUR), ("q", HOUR)]),
        (chat(*TALK, tools=(Tool("f"),)), FIREWORKS, Options(cache="long"), [("b", MARK), ("q", MARK)]),
        (chat(*TALK), SONNET_45, Options(cache="none"), []),
        (chat(*TALK, AssistantMessage("Sure:")), OTHER, Options(), [("b", MARK)]),
        (
            chat(UserMessage("q"), AssistantMessage(None, (ToolCall("t", "f", ""),)), ToolMessage("1", "t")),
            SONNET_45,
            Options(),
            [("tool_result", MARK)],
        ),
        (chat(UserMessage((Text("q"), Image("data:image/png;base64,AAAA")))), SONNET_45, Options(), [("image", MARK)]),
        (chat(*TALK), SONNET_45, Options(identity="claude_code"), [("b", MARK), ("q", MARK)]),
    ],
)
def test_automatic_marks(asked: Chat, model: Model, options: Options, expected: list[Any]) -> None:
    """The last tool, the last system block and the last block of the conversation are marked, by retention."""
    assert marks(body(asked, model, options)) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (chat(SystemMessage("a", cache_control=HOUR), UserMessage("q")), [("a", HOUR)]),
        (chat(SystemMessage((Text("a", MARK), Text("b"))), UserMessage("q")), [("a", MARK)]),
        (chat(UserMessage("q", cache_control=MARK), tools=(Tool("f"),)), [("q", MARK)]),
        (chat(*TALK, tools=(Tool("f", cache_control=HOUR), Tool("g"))), [("f", HOUR)]),
        (
            chat(
                UserMessage("q"),
                AssistantMessage("a", (ToolCall("t", "f", ""),), cache_control=MARK),
                ToolMessage((Text("1", HOUR), Text("2")), "t", cache_control=MARK),
            ),
            [("a", MARK), ("tool_result", MARK), ("1", HOUR)],
        ),
        (chat(*TALK, cache_control=HOUR, tools=(Tool("f"),)), [("f", HOUR), ("b", HOUR), ("q", HOUR)]),
    ],
)
@pytest.mark.parametrize("cache", ["short", "none"])
def test_the_clients_own_marks(asked: Chat, expected: list[Any], cache: Any) -> None:
    """A client that marks its prompt itself is obeyed, and nothing is added."""
    assert marks(body(asked, SONNET_45, Options(cache=cache))) == expected


def test_tools_that_cannot_be_marked() -> None:
    """An endpoint that refuses marks on tools gets none, from nobody."""
    assert marks(body(chat(tools=(Tool("f", cache_control=MARK),)), FIREWORKS, Options(cache="none"))) == []


def test_four_marks_at_most() -> None:
    """Anthropic refuses a fifth: the earliest of the conversation are left out first, then the system's."""
    words = tuple(Text(letter, MARK) for letter in "cdef")
    asked = chat(
        SystemMessage((Text("a", MARK), Text("b", MARK))), UserMessage(words), tools=(Tool("t", cache_control=MARK),)
    )
    assert [name for name, _ in marks(body(asked))] == ["t", "a", "b", "f"]
    many = chat(SystemMessage(tuple(Text(letter, MARK) for letter in "abcdef")), UserMessage("q", cache_control=MARK))
    assert [name for name, _ in marks(body(many))] == ["c", "d", "e", "f"]
