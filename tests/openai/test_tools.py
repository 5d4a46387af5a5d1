"""Tools, their schemas and the choice among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy import chat
from piproxy.chat import ToolChoice
from piproxy.errors import ClientError
from piproxy.openai.decode import decode

TOOLS = [{"type": "function", "function": {"name": "a"}}, {"type": "custom", "custom": {"name": "b"}}]


def _decode(**fields: Any) -> chat.Chat:
    return decode(json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}).encode()).chat


def _refusal(**fields: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        _decode(**fields)
    return caught.value


def _function(parameters: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", "parameters": parameters}}]


def test_function_tools() -> None:
    """Everything that OpenAI's reference has, nulls included; ``type`` may be missing; a cache mark is kept."""
    assert _decode(
        tools=[
            {"type": "function", "function": {"name": "a", "description": "A", "parameters": {}, "strict": True}},
            {"type": "function", "function": {"name": "b", "description": None, "parameters": None, "strict": None}},
            {"function": {"name": "c"}, "cache_control": {"type": "ephemeral"}},
            {"type": "function", "function": {"name": "d", "cache_control": {"type": "ephemeral"}}},
        ]
    ).tools == (
        chat.Tool("a", "A", {}, strict=True),
        chat.Tool("b"),
        chat.Tool("c", cache_control={"type": "ephemeral"}),
        chat.Tool("d", cache_control={"type": "ephemeral"}),
    )


def test_custom_tools() -> None:
    """Free text, or text by a grammar."""
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.*/"}}
    assert _decode(
        tools=[
            {"type": "custom", "custom": {"name": "a", "description": "A", "format": grammar}},
            {"custom": {"name": "b"}},
        ]
    ).tools == (chat.Tool("a", "A", custom=True, format=grammar), chat.Tool("b", custom=True))


VALID: list[Any] = [
    True,
    {},
    {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}},
    {"oneOf": [{"type": "string"}, {"const": 5}], "allOf": [], "anyOf": [True]},
    {"if": {"required": ["a"]}, "then": {"maxProperties": 1}, "else": False, "not": {"type": "null"}},
    {"type": ["string", "integer", "null"], "enum": [1, None, "a", {"b": []}]},
    {"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": {"type": "number"}},
    {"type": "array", "items": [{"type": "string"}], "prefixItems": [{}], "contains": {}, "uniqueItems": True},
    {"type": "array", "items": False},
    {"type": "object", "properties": {"type": {"type": "string"}, "properties": {"enum": []}, "items": {"const": 3}}},
    {"type": "integer", "minimum": -(2**63), "maximum": 2**64, "default": 1.0, "multipleOf": 1e-9},
    {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": " t ", "x-own": {"type": 5}},
    {"enum": [{"type": 5}], "const": {"properties": 5}, "default": {"type": []}, "examples": [{"type": {}}]},
    {"type": "STRING"},
    {"type": "object", "properties": {"a": {"enum": None}}, "required": None, "anyOf": None},
]


@pytest.mark.parametrize("schema", VALID, ids=str)
def test_any_schema_is_carried_as_it_is(schema: Any) -> None:
    """Nothing is simplified, and what only looks like a keyword (in ``enum``, ``const``, a name) is no fault."""
    assert _decode(tools=_function(schema)).tools[0].parameters == schema
    if isinstance(schema, dict):
        wanted = {"type": "json_schema", "json_schema": {"name": "s", "description": None, "schema": schema}}
        made = _decode(response_format=wanted).response_format
        assert made == chat.ResponseFormat("json_schema", "s", None, schema)


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ("string", ""),
        ([], ""),
        (5, ""),
        ({"type": 5}, ".type"),
        ({"type": None}, ".type"),
        ({"type": []}, ".type"),
        ({"type": ["string", 5]}, ".type"),
        ({"type": "strnig"}, ".type"),
        ({"type": ["string", "any"]}, ".type"),
        ({"properties": {"a": {"type": "string", "required": True}}}, ".properties.a.required"),
        ({"required": "a"}, ".required"),
        ({"required": ["a", 1]}, ".required"),
        ({"enum": "a"}, ".enum"),
        ({"items": {"enum": {"a": 1}}}, ".items.enum"),
        ({"anyOf": {"type": "string"}}, ".anyOf"),
        ({"properties": []}, ".properties"),
        ({"properties": None}, ".properties"),
        ({"properties": {"a": "string"}}, ".properties.a"),
        (
            {"properties": {"a": {"items": {"properties": {"b": {"type": {}}}}}}},
            ".properties.a.items.properties.b.type",
        ),
        ({"items": [{}, {"type": 5}]}, ".items[1].type"),
        ({"items": "x"}, ".items"),
        ({"anyOf": [{}, 5]}, ".anyOf[1]"),
        ({"$defs": {"x": {"type": 1}}}, ".$defs.x.type"),
        ({"additionalProperties": "no"}, ".additionalProperties"),
        ({"not": {"type": 1}}, ".not.type"),
    ],
)
def test_what_is_no_schema_is_refused_by_name(schema: Any, where: str) -> None:
    """400 with the tool's name and the path of the fault."""
    error = _refusal(tools=_function(schema))
    assert (error.status, error.code) == (400, "invalid_function_parameters")
    assert error.param == f"tools[0].function.parameters{where}"
    assert "tool 'f'" in error.message


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ({}, "tools"),
        ([5], "tools[0]"),
        ([None], "tools[0]"),
        ([{"type": "web_search"}], "tools[0].type"),
        ([{"type": "function", "name": "f", "parameters": {}}], "tools[0].function"),
        ([{"type": "custom"}], "tools[0].custom"),
        ([{"type": "function", "function": {}}], "tools[0].function.name"),
        ([{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
        ([{"type": "function", "function": {"name": "f", "strict": "yes"}}], "tools[0].function.strict"),
    ],
)
def test_malformed_tools(tools: Any, param: str) -> None:
    """400 with the path."""
    error = _refusal(tools=tools)
    assert (error.status, error.param) == (400, param)


def test_a_flat_tool_gets_a_hint() -> None:
    """The Responses API's tools are flat; the message shows the right shape."""
    error = _refusal(tools=[{"type": "function", "name": "f", "parameters": {}}])
    assert "{'type': 'function', 'function': {'name': …" in error.message


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        (None, None),
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "a"}}, ToolChoice("named", ("a",))),
        ({"type": "custom", "custom": {"name": "b"}}, ToolChoice("named", ("b",), custom=True)),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "a"}},
                        {"type": "custom", "custom": {"name": "b"}},
                    ],
                },
            },
            ToolChoice("auto", ("a", "b")),
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "a"}}]},
            },
            ToolChoice("required", ("a",)),
        ),
    ],
)
def test_tool_choices(choice: Any, made: ToolChoice | None) -> None:
    """Every form of OpenAI's reference."""
    assert _decode(tools=TOOLS, tool_choice=choice).tool_choice == made


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        (TOOLS, "any", "tool_choice"),
        (TOOLS, 5, "tool_choice"),
        (TOOLS, {"type": "hosted"}, "tool_choice.type"),
        (TOOLS, {"type": "function"}, "tool_choice.function"),
        (TOOLS, {"type": "custom"}, "tool_choice.custom"),
        (TOOLS, {"type": "function", "function": {}}, "tool_choice.function.name"),
        (TOOLS, {"type": "function", "function": {"name": "zzz"}}, "tool_choice"),
        (TOOLS, {"type": "allowed_tools"}, "tool_choice.allowed_tools"),
        (
            TOOLS,
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
            "tool_choice.allowed_tools.tools",
        ),
        (
            TOOLS,
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]}},
            "tool_choice.allowed_tools.tools[0].function",
        ),
        ([], "required", "tool_choice"),
        ([], {"type": "function", "function": {"name": "a"}}, "tool_choice"),
    ],
)
def test_malformed_choices(tools: Any, choice: Any, param: str) -> None:
    """A choice must be well-formed and name tools that are there."""
    error = _refusal(tools=tools, tool_choice=choice)
    assert (error.status, error.param) == (400, param)
