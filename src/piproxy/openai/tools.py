"""Tools and the choice among them: from checked shapes to :mod:`piproxy.chat`. Schemas are checked, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from piproxy import chat
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.openai import schema
from piproxy.openai.faults import Path, bracketed, invalid, json_type, missing

_SUBSCHEMA: Final = (
    "additionalProperties",
    "additionalItems",
    "contains",
    "else",
    "if",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SUBSCHEMA_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SUBSCHEMA_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


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
    """Refuse what is no JSON Schema: neither object nor boolean, or a malformed ``type`` or ``properties``, at any
    depth. Everything else is for the provider to judge. Raises :class:`InvalidRequest` that names ``owner``."""
    waiting: list[tuple[Json, Path]] = [(root, path)]
    while waiting:
        node, here = waiting.pop()
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict):
            raise _malformed(here, owner, f"a schema must be an object or a boolean, not {json_type(node)}")
        kind = node.get("type")
        kinds = kind if isinstance(kind, list) else [kind]
        if "type" in node and not (kinds and all(isinstance(name, str) for name in kinds)):
            raise _malformed((*here, "type"), owner, "'type' must be a string or an array of strings")
        waiting.extend(_subschemas(node, here, owner))


def _subschemas(node: dict[str, Json], here: Path, owner: str) -> Iterator[tuple[Json, Path]]:
    for keyword in _SUBSCHEMA_MAPS:
        if keyword in node:
            if not isinstance(node[keyword], dict):
                raise _malformed(
                    (*here, keyword), owner, f"'{keyword}' must be an object, not {json_type(node[keyword])}"
                )
            for name, child in node[keyword].items():
                yield child, (*here, keyword, name)
    for keyword in _SUBSCHEMA_LISTS:
        if isinstance(node.get(keyword), list):
            for at, child in enumerate(node[keyword]):
                yield child, (*here, keyword, at)
    for keyword in _SUBSCHEMA:
        if keyword in node:
            yield node[keyword], (*here, keyword)
    items = node.get("items")
    if isinstance(items, list):  # a tuple, as drafts up to 2019-09 write it
        for at, child in enumerate(items):
            yield child, (*here, "items", at)
    elif "items" in node:
        yield items, (*here, "items")


def _malformed(path: Path, owner: str, reason: str) -> InvalidRequest:
    where = bracketed(path)
    return InvalidRequest(
        f"Invalid schema for {owner[:200]}: {reason}.", param=where, code="invalid_function_parameters"
    )
