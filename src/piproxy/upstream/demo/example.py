"""A value that fits a JSON schema, always the same one: arguments for a tool that nobody gave arguments for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.jsontext import Json

_DEEP: Final = 8
"""Levels after which a schema that contains itself is left alone."""


def example(schema: Json, text: str) -> Json:
    """An example for ``schema``; strings without any rule become ``text``."""
    return _example(schema, text, schema, 0)


def _example(schema: Json, text: str, root: Json, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > _DEEP:
        return {} if depth == 0 else None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    if isinstance(schema.get("$ref"), str):
        return _example(_referred(schema["$ref"], root), text, root, depth + 1)
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return _example(schema[name][0], text, root, depth + 1)
    return _of_type(schema, text, root, depth)


def _of_type(schema: Mapping[str, Json], text: str, root: Json, depth: int) -> Json:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    match kind:
        case "string":
            return text
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return schema.get("minimum", 1.5)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            least = schema.get("minItems", 1)
            count = min(least, _DEEP) if isinstance(least, int) else 1
            return [_example(schema.get("items", {"type": "string"}), text, root, depth + 1)] * count
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required")
    names = required if isinstance(required, list) and required else list(properties)
    return {name: _example(properties.get(name, {}), text, root, depth + 1) for name in names}


def _referred(ref: str, root: Json) -> Json:
    """What ``#/$defs/City`` points at; nothing for anything stranger."""
    found = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step) if isinstance(found, dict) else None
    return found
