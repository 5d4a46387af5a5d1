"""Function declarations and tool choice (wire reference, 3.3).

Schemas go into ``parametersJsonSchema``, which takes JSON Schema as it is, with one exception: Gemini ignores ``const``
there, so a string or number constant becomes an ``enum`` of one value.
"""

from __future__ import annotations

from typing import Final

from piproxy.chat import Chat, Tool
from piproxy.functiontools import FREE_TEXT, allowed, description
from piproxy.jsontext import Json

_BY_NAME: Final = frozenset(
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
)
"""Keywords whose value maps names to schemas: a property may be called ``const``."""
_SCHEMAS: Final = frozenset(
    (
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    )
)
"""Keywords whose value is a schema or a list of them; everything else is data."""


def tools(chat: Chat) -> list[Json]:
    """The body's ``tools``; empty without tools."""
    if not chat.tools:
        return []
    return [{"functionDeclarations": [_declaration(tool) for tool in chat.tools]}]


def tool_config(chat: Chat, *, validates: bool) -> dict[str, Json] | None:
    """The body's ``toolConfig``. ``validates``: the model can hold arguments to their schema (strict tools)."""
    choice = chat.tool_choice
    among = allowed(chat.tools, choice)
    if not chat.tools:
        return None
    strict = validates and any(tool.strict for tool in among)
    mode = "AUTO" if choice is None else {"none": "NONE", "auto": "AUTO"}.get(choice.mode, "ANY")
    names = choice.names if choice and mode != "NONE" else ()
    if mode == "AUTO" and (strict or names):  # AUTO takes no list of names
        mode = "VALIDATED"
    if choice is None and mode == "AUTO":
        return None
    config: dict[str, Json] = {"mode": mode}
    if names:
        config["allowedFunctionNames"] = list(names)
    return {"functionCallingConfig": config}


def enum_for_const(schema: Json) -> Json:
    """The schema with string and number ``const`` as ``enum``; everything else untouched."""
    if isinstance(schema, list):
        return [enum_for_const(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    fixed: dict[str, Json] = {}
    for key, value in schema.items():
        if key in _SCHEMAS:
            fixed[key] = enum_for_const(value)
        elif key in _BY_NAME and isinstance(value, dict):
            fixed[key] = {name: enum_for_const(item) for name, item in value.items()}
        elif key == "const" and "enum" not in schema and _is_plain(value):
            fixed["enum"] = [value]
        else:
            fixed[key] = value
    return fixed


def _is_plain(value: Json) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _declaration(tool: Tool) -> dict[str, Json]:
    declaration: dict[str, Json] = {"name": tool.name}
    if told := description(tool):
        declaration["description"] = told
    if tool.custom:
        declaration["parametersJsonSchema"] = FREE_TEXT
    elif tool.parameters is not None:
        declaration["parametersJsonSchema"] = enum_for_const(tool.parameters)
    return declaration
