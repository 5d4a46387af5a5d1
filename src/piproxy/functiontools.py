"""Free-text tools, odd arguments and JSON answers, for APIs that know only functions with JSON objects.

OpenAI's custom tools take free text, and a history may hold arguments that are no JSON object; both are carried inside
an object, and nothing is lost (wire-native-apis.md, 1.4).
"""

from __future__ import annotations

from typing import Final

from piproxy.chat import ResponseFormat, Tool, ToolCall, ToolChoice
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json, dump, parse

FREE_TEXT: Final[dict[str, Json]] = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as free text."}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The schema of a free-text tool."""

JSON_OBJECT: Final = "Answer with exactly one JSON object and nothing else: no prose before or after it, no code fence."


def allowed(tools: tuple[Tool, ...], choice: ToolChoice | None) -> tuple[Tool, ...]:
    """The tools among which the model may choose: all, or those that the choice names.

    Raises :class:`InvalidRequest` for a name that is not there.
    """
    names = choice.names if choice else ()
    known = {tool.name for tool in tools}
    for name in names:
        if name not in known:
            raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")
    return tuple(tool for tool in tools if tool.name in names) if names else tools


def description(tool: Tool) -> str:
    """A tool's description; for a free-text tool, with the grammar that its input must follow."""
    rules = tool.format if tool.custom and isinstance(tool.format, dict) else {}
    if rules.get("type") != "grammar":
        return tool.description or ""
    grammar = rules.get("grammar", rules)
    told = f"The input must follow this {grammar.get('syntax')} grammar:\n{grammar.get('definition')}"
    return f"{tool.description}\n\n{told}" if tool.description else told


def arguments(call: ToolCall) -> dict[str, Json]:
    """The arguments of a call in the history as an object; anything else becomes its ``input``."""
    if call.custom:
        return {"input": call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        value = parse(call.arguments)
    except (ValueError, RecursionError):
        return {"input": call.arguments}
    return value if isinstance(value, dict) else {"input": value}


def free_text(argument_text: str) -> str:
    """The input of a free-text tool out of the arguments that carried it."""
    try:
        value = parse(argument_text)
    except (ValueError, RecursionError):
        return argument_text
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else argument_text


def instruction(form: ResponseFormat) -> str:
    """``response_format`` in words, where an API has no field for it."""
    if form.kind != "json_schema" or form.schema is None:
        return JSON_OBJECT
    told = (
        "Answer with exactly one JSON value and nothing else: no prose before or after it, no code fence. "
        f"It must be valid against this JSON schema:\n{dump(form.schema).decode()}"
    )
    return f"{form.description}\n\n{told}" if form.description else told
