"""Function declarations, schemas and tool choice, checked against google-genai's own types."""

from __future__ import annotations

import copy
from typing import Final

import pytest
from google.genai import types

from piproxy.chat import Chat, Tool, ToolChoice, UserMessage
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.wire.google_generative_ai.tools import enum_for_const, tool_config, tools

NASTY: Final[dict[str, Json]] = {
    "a reference": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/Point"}},
    },
    "recursion": {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}, "value": {"type": "string"}},
    },
    "mutual recursion": {
        "definitions": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}},
            "B": {"anyOf": [{"$ref": "#/definitions/A"}, {"type": "null"}]},
        },
        "$ref": "#/definitions/A",
    },
    "alternatives": {
        "type": "object",
        "properties": {"v": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}]}},
        "additionalProperties": False,
    },
    "a typed map": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
    "patterned names": {"type": "object", "patternProperties": {"^x-": {"type": "string"}}, "minProperties": 1},
    "an integer enum": {"type": "object", "properties": {"n": {"type": "integer", "enum": [1, 2, 3], "default": 2}}},
    "an empty object": {"type": "object", "properties": {}},
    "nothing at all": {},
    "anything": {"type": "object", "properties": {"any": True, "none": False, "untyped": {}}},
    "tuples": {"type": "object", "properties": {"t": {"type": "array", "prefixItems": [{"type": "string"}, True]}}},
    "lists of types": {"type": "object", "properties": {"v": {"type": ["string", "null"], "examples": ["a", None]}}},
    "data that looks like schemas": {
        "type": "object",
        "properties": {"v": {"default": {"const": 1, "items": [{"const": "x"}]}, "enum": [{"const": 2}]}},
    },
    "a property called const": {
        "type": "object",
        "properties": {"const": {"type": "string"}, "enum": {"type": "null"}},
    },
    "conditions": {
        "type": "object",
        "if": {"required": ["a"]},
        "then": {"required": ["b"]},
        "not": {"required": ["c"]},
    },
    "odd names": {"type": "object", "properties": {"": {"type": "string"}, "ключ": {"title": " spaced "}}},
    "constants that Gemini reads": {"type": "object", "properties": {"t": {"const": True}, "n": {"const": None}}},
}
"""Schemas that proxies like to break. None of them holds a constant that must be rewritten."""


def chat(*given: Tool, choice: ToolChoice | None = None) -> Chat:
    return Chat(model="m", messages=(UserMessage("Hi"),), tools=given, tool_choice=choice)


@pytest.mark.parametrize("name", NASTY)
def test_no_schema_is_rewritten(name: str) -> None:
    """References, recursion, alternatives, typed maps and the rest reach the API as they were given."""
    (given,) = tools(chat(Tool("f", "It does.", copy.deepcopy(NASTY[name]))))
    assert given == {
        "functionDeclarations": [{"name": "f", "description": "It does.", "parametersJsonSchema": NASTY[name]}]
    }
    types.Tool.model_validate(given)


@pytest.mark.parametrize(
    ("schema", "fixed"),
    [
        ({"const": "a"}, {"enum": ["a"]}),
        ({"const": 1.5}, {"enum": [1.5]}),
        ({"type": "string", "const": "a", "title": "t"}, {"type": "string", "enum": ["a"], "title": "t"}),
        ({"const": "a", "enum": ["a", "b"]}, {"const": "a", "enum": ["a", "b"]}),
        ({"const": {"a": 1}}, {"const": {"a": 1}}),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"enum": [1]}, {"enum": [2]}]}),
        ({"$defs": {"const": {"const": "a"}}}, {"$defs": {"const": {"enum": ["a"]}}}),
        ({"items": {"not": {"const": 3}}}, {"items": {"not": {"enum": [3]}}}),
    ],
)
def test_constants_become_enums(schema: Json, fixed: Json) -> None:
    """Gemini ignores string and number constants, but honours an ``enum`` of one; the order of members stays."""
    rewritten = enum_for_const(schema)
    assert rewritten == fixed
    assert list(rewritten) == list(fixed)


def test_a_tool_without_a_schema_or_description_has_none() -> None:
    """Nothing is made up."""
    assert tools(chat(Tool("f"))) == [{"functionDeclarations": [{"name": "f"}]}]
    assert tools(chat()) == []


def test_a_free_text_tool_is_a_function_with_one_text() -> None:
    """The grammar of a custom tool is told in the description."""
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "a"'}}
    ((declaration,),) = (
        t["functionDeclarations"] for t in tools(chat(Tool("patch", "P.", custom=True, format=grammar)))
    )
    assert declaration["parametersJsonSchema"]["required"] == ["input"]
    assert declaration["description"].startswith("P.\n\n")
    assert 'start: "a"' in declaration["description"]


TWO: Final = (Tool("f"), Tool("g"))


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", ("g",)), {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (ToolChoice("required", ("f", "g")), {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
        (ToolChoice("auto", ("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, config: Json) -> None:
    """Every form of the choice has a mode; a named tool is the only one that may be called."""
    got = tool_config(chat(*TWO, choice=choice), validates=True)
    assert got == (config and {"functionCallingConfig": config})
    if got:
        types.ToolConfig.model_validate(got)


@pytest.mark.parametrize(
    ("validates", "config"), [(True, {"functionCallingConfig": {"mode": "VALIDATED"}}), (False, None)]
)
def test_strict_tools_are_validated_where_the_model_can(validates: bool, config: Json) -> None:
    """``strict`` means that arguments keep to the schema, which Gemini 3 does in the mode VALIDATED."""
    assert tool_config(chat(Tool("f", strict=True), Tool("g")), validates=validates) == config


def test_a_forced_strict_tool_stays_forced() -> None:
    """VALIDATED would let the model answer in text."""
    got = tool_config(chat(Tool("f", strict=True), choice=ToolChoice("required")), validates=True)
    assert got == {"functionCallingConfig": {"mode": "ANY"}}


def test_a_choice_of_an_unknown_tool_is_the_clients_error() -> None:
    """It names ``tool_choice``."""
    with pytest.raises(InvalidRequest) as error:
        tool_config(chat(*TWO, choice=ToolChoice("named", ("h",))), validates=False)
    assert error.value.param == "tool_choice"
