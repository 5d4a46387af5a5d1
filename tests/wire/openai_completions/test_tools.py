from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import OPENAI, body, chat, model

from piproxy.chat import AssistantMessage, Tool, ToolCall, ToolChoice, ToolMessage, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options

SCHEMA = {"type": "object", "$defs": {"a": {"const": 1}}, "oneOf": [], "additionalProperties": False, "title": "Ä"}
TOOL = Tool("f", "Does f.", SCHEMA)
OTHER = Tool("g")


def test_schema_is_not_touched() -> None:
    """The schema goes through as it is, key order included, and nothing is made up."""
    request = build_request(chat(tools=(TOOL, OTHER)), model(), Options())
    assert (
        b'"parameters":{"type":"object","$defs":{"a":{"const":1}},"oneOf":[],"additionalProperties":false'
        in request.body
    )
    assert body(chat(tools=(OTHER,)), model())["tools"] == [{"type": "function", "function": {"name": "g"}}]


@pytest.mark.parametrize(
    ("to", "asked", "expected", "dropped"),
    [
        (model(compat={"supportsStrictMode": True}), None, False, ()),
        (model(compat={"supportsStrictMode": True}), True, True, ()),
        (model(), None, None, ()),
        (model(), True, True, ()),
        (model(), False, False, ()),
        (model("openai", OPENAI), True, True, ()),
        (model("openai", OPENAI), None, None, ()),
        (model(compat={"supportsStrictMode": False}), True, None, ("tools.strict",)),
        (model("moonshotai"), True, None, ("tools.strict",)),
        (model("moonshotai"), False, None, ()),
    ],
)
def test_strict(to: Model, asked: bool | None, expected: bool | None, dropped: tuple[str, ...]) -> None:
    """``strict`` goes where it is known; a wish that cannot be carried is named."""
    request = build_request(chat(tools=(Tool("f", strict=asked),)), to, Options())
    assert body(chat(tools=(Tool("f", strict=asked),)), to)["tools"][0]["function"].get("strict") == expected
    assert request.dropped == dropped


@pytest.mark.parametrize("mode", ["none", "auto", "required"])
def test_choice_by_word(mode: Any) -> None:
    """A plain choice is a word."""
    assert body(chat(tools=(TOOL,), tool_choice=ToolChoice(mode)), model())["tool_choice"] == mode


def test_choice_by_name() -> None:
    """One tool is named by its kind."""
    named = chat(tools=(TOOL,), tool_choice=ToolChoice("named", ("f",)))
    assert body(named, model())["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    custom = chat(tools=(Tool("sh", custom=True),), tool_choice=ToolChoice("named", ("sh",), custom=True))
    assert body(custom, model())["tool_choice"] == {"type": "custom", "custom": {"name": "sh"}}


def test_allowed_tools() -> None:
    """OpenAI gets its own form; elsewhere the other tools are left out."""
    request = chat(tools=(TOOL, OTHER), tool_choice=ToolChoice("required", ("g",)))
    ours = body(request, model("openai", OPENAI))
    assert len(ours["tools"]) == 2
    assert ours["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]},
    }
    theirs = body(request, model("groq"))
    assert [tool["function"]["name"] for tool in theirs["tools"]] == ["g"]
    assert theirs["tool_choice"] == "required"


FORMAT = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}}


@pytest.mark.parametrize(
    "to", [model(), model("openai", OPENAI), model("groq", compat={"supportsOpenAIGrammarTools": True})]
)
def test_custom_tool(to: Model) -> None:
    """A free-text tool goes where such tools are known."""
    tool = Tool("sh", "Runs.", custom=True, format=FORMAT)
    assert body(chat(tools=(tool,)), to)["tools"] == [
        {"type": "custom", "custom": {"name": "sh", "description": "Runs.", "format": FORMAT}}
    ]


@pytest.mark.parametrize("to", [model("groq"), model(compat={"supportsOpenAIGrammarTools": False})])
def test_custom_tool_where_there_is_none(to: Model) -> None:
    """Elsewhere it is refused, because no answer could call it."""
    with pytest.raises(UnsupportedParameter) as error:
        build_request(chat(tools=(Tool("sh", custom=True),)), to, Options())
    assert error.value.param == "tools"


def test_tool_stream() -> None:
    """Z.ai streams arguments only on demand."""
    to = model("zai", compat={"zaiToolStream": True})
    assert body(chat(tools=(TOOL,)), to)["tool_stream"] is True
    assert "tool_stream" not in body(chat(), to)


def test_tools_with_tool_history() -> None:
    """Some gateways want the field whenever the history has calls."""
    history = (AssistantMessage(None, (ToolCall("1", "f", "{}"),)), ToolMessage("r", "1"), UserMessage("x"))
    assert body(chat(*history), model(compat={"requiresToolsWithToolHistory": True}))["tools"] == []
    assert "tools" not in body(chat(*history), model())
    assert "tools" not in body(chat(), model(compat={"requiresToolsWithToolHistory": True}))
