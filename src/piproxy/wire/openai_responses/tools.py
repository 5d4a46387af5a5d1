"""Tools, the choice among them, and the form of the text (wire reference, 12)."""

from __future__ import annotations

from piproxy.chat import Chat, ResponseFormat, Tool, ToolChoice
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_responses.dialect import Dialect, flag


def tool_list(chat: Chat, model: Model, dialect: Dialect) -> list[Json]:
    """Flat definitions; schemas and formats as the client gave them."""
    strict_mode = flag(model, "supportsStrictMode", default=dialect.strict_mode)
    return [_custom(tool) if tool.custom else _function(tool, dialect, strict_mode=strict_mode) for tool in chat.tools]


def tool_choice(chat: Chat) -> Json:
    """A word, one tool, or ``allowed_tools``; ``None`` when the client said nothing."""
    choice = chat.tool_choice
    if choice is None:
        return None
    if choice.mode == "named":
        return _reference(choice.names[0], chat, choice)
    if not choice.names:
        return choice.mode
    return {
        "type": "allowed_tools",
        "mode": choice.mode,
        "tools": [_reference(name, chat, choice) for name in choice.names],
    }


def text_format(wanted: ResponseFormat | None) -> Json:
    """``text.format``: the schema stands beside its name, not in a ``json_schema`` object."""
    if wanted is None or wanted.kind == "text":
        return None
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    members = {
        "name": wanted.name or "response",
        "description": wanted.description,
        "schema": {} if wanted.schema is None else wanted.schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema"} | {name: value for name, value in members.items() if value is not None}


def _function(tool: Tool, dialect: Dialect, *, strict_mode: bool) -> Json:
    made: dict[str, Json] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    made["parameters"] = {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters
    if tool.strict is not None:
        made["strict"] = tool.strict
    elif strict_mode:
        made["strict"] = dialect.unasked_strict
    return made


def _custom(tool: Tool) -> Json:
    members = {"description": tool.description, "format": _format(tool.format)}
    return {"type": "custom", "name": tool.name} | {name: value for name, value in members.items() if value is not None}


def _format(shape: Json) -> Json:
    """Chat completions put a grammar into an object of its own; here it is flat."""
    grammar = shape.get("grammar") if isinstance(shape, dict) else None
    return {"type": "grammar", **grammar} if isinstance(grammar, dict) else shape


def _reference(name: str, chat: Chat, choice: ToolChoice) -> Json:
    custom = choice.custom or any(tool.custom for tool in chat.tools if tool.name == name)
    return {"type": "custom" if custom else "function", "name": name}
