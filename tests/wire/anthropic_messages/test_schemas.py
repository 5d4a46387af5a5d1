"""JSON schemas for Anthropic."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.wire.anthropic_messages.schemas import (
    compiles,
    input_schema,
    output_schema,
    qualifies_for_strict,
    union_parameters,
)

STRING = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


NASTY: list[Any] = [
    {"type": "object", "properties": {"a": {"oneOf": [STRING, {"type": "null"}]}}, "title": "T", "default": {}},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"enum": [1, 2, 3]}}},
    {"type": "object", "additionalProperties": {"type": "integer"}, "properties": {}},
    {"type": "object", "properties": {"type": STRING, "properties": {"type": "object"}, "$ref": STRING}},
    {"type": "object", "properties": {}, "patternProperties": {"^x": STRING}, "not": {"required": ["z"]}},
    {"type": "object", "properties": {"a": {}, "b": True, "c": {"type": ["string", "null"], "minLength": 3}}},
]


@pytest.mark.parametrize("schema", NASTY)
def test_tool_schemas_go_through(schema: dict[str, Any]) -> None:
    """An object schema is sent exactly as it is, whatever is in it."""
    before = copy.deepcopy(schema)
    assert input_schema(schema) == before
    assert schema == before


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (None, {"type": "object", "properties": {}}),
        (True, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": ["object", "null"], "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"anyOf": [STRING], "description": "d"}, {"type": "object", "description": "d", "properties": {}}),
        (
            {"oneOf": [], "allOf": [], "properties": {"a": {"anyOf": [STRING]}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"anyOf": [STRING]}}, "required": ["a"]},
        ),
    ],
)
def test_only_the_root_is_forced(schema: Any, sent: dict[str, Any]) -> None:
    """The root must be an object without combinators; nothing below it changes."""
    assert input_schema(schema) == sent


@pytest.mark.parametrize(
    ("schema", "qualifies"),
    [
        (closed(), True),
        (closed(a=STRING, b={"type": "array", "items": closed(c={"enum": [1, 2]}), "minItems": 1}), True),
        (closed(a={"anyOf": [STRING, {"type": "null"}]}), True),
        (closed(a={"type": "string", "format": "date-time"}), True),
        (closed(minimum=STRING, format=STRING), True),
        (closed(a={"const": {"minimum": 3}}), True),
        (None, False),
        (closed(a=True), False),
        (closed(a=False), False),
        (closed(a={}), False),
        (closed(a={"type": "array", "items": True}), False),
        ({"type": "array", "items": STRING}, False),
        ({**closed(a=STRING), "additionalProperties": True}, False),
        ({**closed(a=STRING), "required": []}, False),
        ({**closed(a=STRING), "required": None}, False),
        ({**closed(a=STRING), "anyOf": []}, False),
        (closed(a={"type": "object", "properties": {}}), False),
        (closed(a={"type": ["object", "null"], "properties": {}}), False),
        (closed(a={"type": "integer", "minimum": 1}), False),
        (closed(a={"type": "string", "maxLength": 1}), False),
        (closed(a={"type": "string", "format": "color"}), False),
        (closed(a={"type": "array", "items": STRING, "minItems": 2}), False),
        (closed(a={"oneOf": [STRING]}), False),
        ({**closed(a={"$ref": "#/$defs/x"}), "$defs": {"x": STRING}}, False),
    ],
)
def test_strict_is_checked(schema: Any, qualifies: bool) -> None:
    """Only a schema that Anthropic compiles as it stands is strict; values of ``const`` and names of properties are no
    keywords."""
    assert qualifies_for_strict(schema) is qualifies


def test_unions_are_counted() -> None:
    """Nullable and ``anyOf`` parameters count against Anthropic's limit."""
    assert union_parameters(closed(a={"type": ["string", "null"]}, b={"anyOf": [STRING]}, c=STRING)) == 2


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (True, True),
        (
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {"a": STRING}},
            {"type": "object", "properties": {"a": STRING}, "additionalProperties": False},
        ),
        (
            closed(a={"type": "array", "items": closed(b=STRING)}),
            closed(a={"type": "array", "items": closed(b=STRING)}),
        ),
        ({"oneOf": [STRING, {"type": "null"}]}, {"anyOf": [STRING, {"type": "null"}]}),
        (
            {"allOf": [{"type": "object"}]},
            {"allOf": [{"type": "object", "properties": {}, "additionalProperties": False}]},
        ),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"const": 3}, {"const": 3}),
        ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}),
        ({"type": "string", "format": "color"}, {"type": "string", "description": "{format: color}"}),
        (
            {"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"},
            {"type": "integer", "description": "A number\n\n{minimum: 1, maximum: 10}"},
        ),
        ({"type": "array", "items": STRING, "minItems": 1}, {"type": "array", "items": STRING, "minItems": 1}),
        (
            {"type": "array", "items": STRING, "minItems": 2, "uniqueItems": True},
            {"type": "array", "items": STRING, "description": "{minItems: 2, uniqueItems: true}"},
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}},
            {
                "type": "object",
                "properties": {},
                "additionalProperties": False,
                "description": '{additionalProperties: {"type":"integer"}}',
            },
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": True, "title": "T"},
            {"type": "object", "properties": {}, "additionalProperties": False, "title": "T"},
        ),
        ({"properties": {"a": STRING}}, {"type": "object", "properties": {"a": STRING}, "additionalProperties": False}),
        ({"items": STRING}, {"type": "array", "items": STRING}),
        ({}, {}),
        ({"$ref": "#/$defs/x", "description": "d"}, {"$ref": "#/$defs/x"}),
        (
            {"$defs": {"x": {"type": "object", "properties": {}}}, "$ref": "#/$defs/x"},
            {"$defs": {"x": {"type": "object", "properties": {}, "additionalProperties": False}}, "$ref": "#/$defs/x"},
        ),
        ({"type": ["string", "null"], "maxLength": 3}, {"type": ["string", "null"], "description": "{maxLength: 3}"}),
        (
            {"type": ["object", "null"], "properties": {"a": STRING}, "required": ["a"]},
            {"type": ["object", "null"], "properties": {"a": STRING}, "required": ["a"], "additionalProperties": False},
        ),
    ],
)
def test_output_schemas_are_closed(schema: Any, sent: Any) -> None:
    """Objects are closed, ``oneOf`` becomes ``anyOf``, and what cannot be compiled is told in the description."""
    before = copy.deepcopy(schema)
    assert output_schema(schema) == sent
    assert schema == before


@pytest.mark.parametrize(
    ("schema", "compiled"),
    [
        (closed(a=STRING, b={"enum": [1]}, c={"const": None}, d={"oneOf": [STRING]}), True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": STRING}}, True),
        ({"type": "object", "properties": {"a": STRING}}, True),
        ({"type": "object", "additionalProperties": True, "properties": {"a": STRING}}, False),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, False),
        (closed(a={"type": "object", "patternProperties": {"^x": STRING}, "additionalProperties": False}), False),
        (closed(a={"type": "object"}), False),
        (closed(), True),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {
                    "a": {"anyOf": [{"$ref": "#/$defs/b"}]},
                    "b": {"items": {"$ref": "#/$defs/a"}},
                },
            },
            False,
        ),
        ({**closed(), "definitions": {"a": {"properties": {"n": {"$ref": "#/definitions/a"}}}}}, False),
        ({"type": "object", "properties": {"child": {"$ref": "#"}}}, False),
        (closed(a=True), False),
        (closed(a={}), False),
        (closed(a={"description": "anything"}), False),
        ({"type": "array", "items": {}}, False),
        (True, False),
        ({}, False),
    ],
)
def test_what_compiles(schema: Any, compiled: bool) -> None:
    """Recursion, and nodes that allow anything, are refused by Anthropic; a closed map would be empty."""
    assert compiles(schema) is compiled


COMPILED = {
    *("type", "properties", "required", "additionalProperties", "items", "minItems", "enum", "const", "format"),
    *("anyOf", "allOf", "$ref", "$defs", "definitions", "description", "title"),
}
"""All keywords that Anthropic's SDKs leave in a schema."""


def schemas() -> st.SearchStrategy[Any]:
    """Schemas with anything in them, deep and wide."""
    leaf = st.sampled_from(
        [
            {},
            {"type": "string", "pattern": "^a", "default": "b"},
            {"type": "integer", "enum": [1, 2], "exclusiveMinimum": 0},
            {"type": ["number", "null"], "multipleOf": 2},
            {"const": None},
            {"enum": [{"type": "object"}]},
            {"type": "string", "format": "ipv4", "minLength": 1},
            {"$ref": "#/$defs/x", "description": "d"},
        ]
    )

    def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some = st.lists(inner, min_size=1, max_size=3)
        named = st.dictionaries(st.sampled_from(["a", "type", "anyOf", "minimum"]), inner, max_size=3)
        return st.one_of(
            st.fixed_dictionaries(
                {"type": st.just("object"), "properties": named}, optional={"minProperties": st.just(1)}
            ),
            st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner, "not": inner}),
            st.fixed_dictionaries({"items": inner}, optional={"minItems": st.integers(0, 3), "contains": inner}),
            st.fixed_dictionaries({"oneOf": some}, optional={"discriminator": st.just({"propertyName": "a"})}),
            st.fixed_dictionaries({"allOf": some, "if": inner}),
            st.fixed_dictionaries({"anyOf": some, "$defs": named}),
        )

    return st.recursive(leaf, wider, max_leaves=12)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    for place in ("properties", "$defs", "definitions"):
        for inner in schema.get(place, {}).values():
            yield from nodes(inner)
    for place in ("anyOf", "allOf"):
        for inner in schema.get(place, []):
            yield from nodes(inner)
    if "items" in schema:
        yield from nodes(schema["items"])


@given(schemas())
def test_every_output_schema_compiles(schema: dict[str, Any]) -> None:
    """Whatever comes in: closed objects and no keyword beyond those that Anthropic compiles, and nothing is lost."""
    before = copy.deepcopy(schema)
    sent = output_schema(schema)
    assert schema == before
    for node in nodes(sent):
        assert node.keys() <= COMPILED
        assert node.get("type") != "object" or node["additionalProperties"] is False
        assert node.get("minItems", 0) in (0, 1)
    assert output_schema(sent) == sent


@given(schemas())
def test_strict_means_compilable(schema: dict[str, Any]) -> None:
    """A schema that qualifies as strict needs no rewriting."""
    if qualifies_for_strict(schema):
        assert output_schema(schema) == schema
