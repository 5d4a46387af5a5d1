"""Tools and the choice among them: from checked shapes to :mod:`piproxy.chat`. Schemas are checked, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from piproxy import chat
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.openai import schema
from piproxy.openai.faults import Path, bracketed, invalid, json_type, missing

_ONE: Final = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_LIST: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAP: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")

_TYPES: Final = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))

_HOLDS: Final[Mapping[str, Literal["type", "names", "values", "one", "list", "map", "items"]]] = MappingProxyType(
    {
        "type": "type",
        "required": "names",
        "enum": "values",
        "items": "items",
        **dict.fromkeys(_ONE, "one"),
        **dict.fromkeys(_LIST, "list"),
        **dict.fromkeys(_MAP, "map"),
    }
)
"""What a keyword's value is: names, any values, one schema, a list of them, a map to them; ``items`` was a list until
draft 2019-09."""


def tools(shapes: Sequence[schema.Tool]) -> tuple[chat.Tool, ...]:
    """Raises :class:`InvalidRequest`."""
    return tuple(_tool(shape, ("tools", at)) for at, shape in enumerate(shapes))


def _tool(shape: schema.Tool, path: Path) -> chat.Tool:
    if shape.type == "custom" or (shape.type is None and shape.custom is not None):
        custom = shape.custom
        if custom is None:
            raise missing((*path, "custom"))
        return chat.Tool(
            custom.name, custom.description, custom=True, format=custom.format, cache_control=shape.cache_control
        )
    function = shape.function
    if function is None:
        error = missing((*path, "function"))
        raise InvalidRequest(
            f"{error.message} A tool is {{'type': 'function', 'function': {{'name': …, 'parameters': …}}}}.",
            param=error.param,
            code=error.code,
        )
    if function.parameters is not None:
        check_schema(function.parameters, (*path, "function", "parameters"), f"tool '{function.name}'")
    return chat.Tool(
        function.name,
        function.description,
        function.parameters,
        function.strict,
        cache_control=function.cache_control if shape.cache_control is None else shape.cache_control,
    )


def tool_choice(choice: str | schema.ToolChoice | None, offered: Sequence[chat.Tool]) -> chat.ToolChoice | None:
    """``None`` when there is nothing to choose from and nothing is demanded. Raises :class:`InvalidRequest`."""
    if choice is None:
        return None
    if isinstance(choice, str):
        made = chat.ToolChoice("none" if choice == "none" else "required" if choice == "required" else "auto")
    elif choice.type == "allowed_tools":
        made = _allowed(choice)
    else:
        name = choice.custom if choice.type == "custom" else choice.function
        if name is None:
            raise missing(("tool_choice", choice.type))
        made = chat.ToolChoice("named", (name.name,), custom=choice.type == "custom")
    if not offered:
        if made.mode in {"none", "auto"} and not made.names:
            return None
        raise invalid(("tool_choice",), "it demands a tool, but 'tools' has none.")
    unknown = [name for name in made.names if name not in {tool.name for tool in offered}]
    if unknown:
        raise invalid(("tool_choice",), f"tool '{unknown[0][:200]}' is not in 'tools'.")
    return made


def _allowed(choice: schema.ToolChoice) -> chat.ToolChoice:
    allowed = choice.allowed_tools
    if allowed is None:
        raise missing(("tool_choice", "allowed_tools"))
    names: list[str] = []
    for at, tool in enumerate(allowed.tools):
        name = tool.custom if tool.type == "custom" else tool.function
        if name is None:
            raise missing(("tool_choice", "allowed_tools", "tools", at, tool.type))
        names.append(name.name)
    return chat.ToolChoice(allowed.mode, tuple(names))


def check_schema(root: Json, path: Path, owner: str) -> None:
    """Refuse what is no JSON Schema: no object or boolean, or a malformed ``type``, ``required``, ``enum`` or place
    of more schemas, at any depth. All else is for the provider to judge, and so is ``null`` for a list, as Go writes an
    empty one. Raises :class:`InvalidRequest` that names ``owner``."""
    waiting: list[tuple[Json, Path]] = [(root, path)]
    while waiting:
        node, here = waiting.pop()
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict):
            raise _malformed(here, owner, f"a schema must be an object or a boolean, not {json_type(node)}")
        for keyword, value in node.items():
            if keyword in _HOLDS:
                waiting.extend(_within(keyword, value, here, owner))


def _within(keyword: str, value: Json, here: Path, owner: str) -> Sequence[tuple[Json, Path]]:
    """The schemas in a keyword's value, with their paths."""
    there = (*here, keyword)
    holds = _HOLDS[keyword]
    if value is None and holds in ("names", "values", "list"):
        return ()
    match holds:
        case "type":
            names = value if isinstance(value, list) else [value]
            if not names or not all(isinstance(name, str) for name in names):
                raise _malformed(there, owner, "'type' must be a string or an array of strings")
            for name in names:
                if name.lower() not in _TYPES:  # some clients shout, as Google's schemas do
                    raise _malformed(there, owner, f"'{name[:40]}' is no type, but {', '.join(sorted(_TYPES))} are")
            return ()
        case "names":
            if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
                raise _malformed(there, owner, f"'{keyword}' must be an array of strings")
            return ()
        case "values":
            if not isinstance(value, list):
                raise _malformed(there, owner, f"'{keyword}' must be an array, not {json_type(value)}")
            return ()
        case "map":
            if not isinstance(value, dict):
                raise _malformed(there, owner, f"'{keyword}' must be an object, not {json_type(value)}")
            return [(child, (*there, name)) for name, child in value.items()]
        case "one":
            return [(value, there)]
        case "list" | "items":
            if isinstance(value, list):
                return [(child, (*there, at)) for at, child in enumerate(value)]
            if keyword != "items":
                raise _malformed(there, owner, f"'{keyword}' must be an array, not {json_type(value)}")
            return [(value, there)]


def _malformed(path: Path, owner: str, reason: str) -> InvalidRequest:
    where = bracketed(path)
    return InvalidRequest(
        f"Invalid schema for {owner[:200]}: {reason}.", param=where, code="invalid_function_parameters"
    )
