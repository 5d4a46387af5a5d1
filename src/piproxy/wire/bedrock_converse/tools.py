"""``toolConfig`` and the form of the answer (wire reference, 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from piproxy import functiontools, transcript
from piproxy.chat import Chat, ResponseFormat, Tool, ToolChoice
from piproxy.jsontext import Json, dump
from piproxy.model import Model

_HANDS_OFF: Final = "Do not call any tool in this answer."
_BOUNDS: Final = frozenset(
    (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "oneOf",
        "not",
        "if",
        "patternProperties",
        "prefixItems",
    )
)
"""Keywords that Bedrock's grammar compiler refuses."""
_BY_NAME: Final = ("properties", "$defs", "definitions")


@dataclass(frozen=True, slots=True)
class Tooling:
    config: dict[str, Json] | None = None
    """``toolConfig``."""
    output: dict[str, Json] | None = None
    """``outputConfig``."""
    wishes: tuple[str, ...] = ()
    """What the model is told in the system prompt, for want of a field."""
    dropped: tuple[str, ...] = ()


def tooling_for(chat: Chat, model: Model, *, marks: bool) -> Tooling:
    """Raises :class:`InvalidRequest` for a choice of a tool that is not there. ``marks``: cache points are taken."""
    choice = chat.tool_choice
    among = functiontools.allowed(chat.tools, choice)
    if choice is not None and choice.mode == "named":
        among = chat.tools
    strict_mode = bool(model.compat.get("supportsStrictMode"))
    output, wishes = _answer_form(chat.response_format, native=strict_mode)
    used = dict.fromkeys(call.name for message in chat.messages for call in transcript.calls(message))
    if not among or (choice is not None and choice.mode == "none"):
        if not used:
            return Tooling(output=output, wishes=wishes)
        if not among:  # a history with calls is refused without any tool
            among = tuple(Tool(name) for name in used)
        choice, wishes = None, (*wishes, _HANDS_OFF)
    specs: list[Json] = []
    dropped: tuple[str, ...] = ()
    for tool in among:
        strict = bool(tool.strict) and not tool.custom
        if strict and not (strict_mode and compiles(tool.parameters)):
            strict, dropped = False, ("tools.strict",)
        specs.append({"toolSpec": _spec(tool, strict=strict)})
        if marks and tool.cache_control is not None:
            specs.append({"cachePoint": cache_point(tool.cache_control)})
    config: dict[str, Json] = {"tools": specs}
    if choice is not None:
        config["toolChoice"] = _choice(choice)
    return Tooling(config, output, wishes, dropped)


def cache_point(mark: Json, *, long: bool = False) -> dict[str, Json]:
    """A cache point, of an hour where the client's mark or the retention says so."""
    if isinstance(mark, dict) and mark.get("ttl") in ("5m", "1h"):
        return {"type": "default", "ttl": mark["ttl"]}
    return {"type": "default", "ttl": "1h"} if long else {"type": "default"}


def compiles(schema: Json) -> bool:
    """Whether a schema can be enforced as it stands: every object closed, no keyword that cannot be compiled."""
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    if _BOUNDS & schema.keys() or schema.get("minItems", 0) not in (0, 1):
        return False
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if (is_object or "properties" in schema) and schema.get("additionalProperties") is not False:
        return False
    inner: list[Json] = [schema["items"]] if "items" in schema else []
    for key in ("anyOf", "allOf"):
        inner += schema.get(key) or []
    for key in _BY_NAME:
        named = schema.get(key)
        inner += named.values() if isinstance(named, Mapping) else ()
    return all(map(compiles, inner))


def _spec(tool: Tool, *, strict: bool) -> dict[str, Json]:
    spec: dict[str, Json] = {"name": tool.name}
    told = functiontools.description(tool)
    if told.strip():  # an empty one is refused
        spec["description"] = told
    spec["inputSchema"] = {"json": functiontools.FREE_TEXT if tool.custom else _object(tool.parameters)}
    if strict:
        spec["strict"] = True
    return spec


def _object(parameters: Json) -> Json:
    """The schema as given; its root must say that it is an object."""
    if not isinstance(parameters, dict) or not parameters:
        return {"type": "object", "properties": {}}
    return parameters if "type" in parameters else {"type": "object", **parameters}


def _choice(choice: ToolChoice) -> dict[str, Json]:
    if choice.mode == "named":
        return {"tool": {"name": choice.names[0]}}
    return {"any": {}} if choice.mode == "required" else {"auto": {}}


def _answer_form(form: ResponseFormat | None, *, native: bool) -> tuple[dict[str, Json] | None, tuple[str, ...]]:
    if form is None or form.kind == "text":
        return None, ()
    if not (native and form.kind == "json_schema" and isinstance(form.schema, dict) and compiles(form.schema)):
        return None, (functiontools.instruction(form),)
    definition: dict[str, Json] = {"schema": dump(form.schema).decode()}
    if form.name:
        definition["name"] = form.name
    if form.description:
        definition["description"] = form.description
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}, ()
