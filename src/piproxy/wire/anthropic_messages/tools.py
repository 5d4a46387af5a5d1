"""Tools, tool choice, and the forms that ``response_format`` takes (wire-native-apis.md, 2.7)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from piproxy import functiontools
from piproxy.chat import Chat, ResponseFormat, Tool, ToolChoice
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.wire.anthropic_messages import schemas
from piproxy.wire.anthropic_messages.compat import Compat
from piproxy.wire.anthropic_messages.identity import ToolNames

FINE_GRAINED: Final = "fine-grained-tool-streaming-2025-05-14"
"""The beta that streams arguments as they come, for endpoints that do not know ``eager_input_streaming``."""
MAX_STRICT_TOOLS: Final = 20
MAX_STRICT_UNIONS: Final = 16
_ANSWER_TOOL: Final = "json_response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tooling:
    """Body members and betas about tools and the form of the answer."""

    body: dict[str, Json] = field(default_factory=dict)
    """``tools`` and ``tool_choice``."""
    output_format: Json | None = None
    """For ``output_config.format``."""
    instruction: str | None = None
    """A last system block that asks for the form."""
    answer_tool: str | None = None
    forced: bool = False
    """The model must call a tool, which excludes a thinking budget."""
    betas: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def tooling_for(chat: Chat, compat: Compat, names: ToolNames) -> Tooling:
    """Everything about tools. Raises :class:`InvalidRequest` for a choice of a tool that is not there."""
    choice = chat.tool_choice
    tools = _allowed(chat.tools, choice)
    form = chat.response_format
    output_format = instruction = answer = None
    if form is not None and form.kind != "text":
        if form.kind == "json_object" or form.schema is None:
            instruction = functiontools.instruction(form)
        elif compat.native and schemas.compiles(form.schema):
            output_format = {"type": "json_schema", "schema": schemas.output_schema(form.schema)}
        elif not _fits_a_tool(form.schema):
            instruction = functiontools.instruction(form)
        elif choice is None or choice.mode in ("auto", "none") or not tools:
            answer = _answer_tool(form, tools)
    if answer is not None:
        if choice is not None and choice.mode == "none":
            tools = ()
        choice = ToolChoice("required") if tools else ToolChoice("named", (answer.name,))
        tools = (*tools, answer)
    if not tools:
        return Tooling(output_format=output_format, instruction=instruction)
    strict = _strict(tools, compat)
    body: dict[str, Json] = {
        "tools": [_tool(tool, names, compat, strict=tool.name in strict) for tool in tools],
    }
    single = chat.parallel_tool_calls is False or answer is not None
    wire_choice = _choice(choice, names, single=single)
    if wire_choice is not None:
        body["tool_choice"] = wire_choice
    asked = any(tool.strict and not tool.custom and tool.name not in strict for tool in tools if tool is not answer)
    return Tooling(
        body=body,
        output_format=output_format,
        instruction=instruction,
        answer_tool=names.to_wire(answer.name) if answer else None,
        forced=choice is not None and choice.mode in ("required", "named"),
        betas=() if compat.eager_tool_input else (FINE_GRAINED,),
        dropped=("tools.strict",) if asked else (),
    )


def _allowed(tools: tuple[Tool, ...], choice: ToolChoice | None) -> tuple[Tool, ...]:
    """All tools, or OpenAI's ``allowed_tools`` among them; a choice must name tools that are there."""
    if choice is None or not choice.names:
        return tools
    known = {tool.name for tool in tools}
    missing = next((name for name in choice.names if name not in known), None)
    if missing is not None:
        raise InvalidRequest(f"tool_choice names {missing!r}, which is not among the tools.", param="tool_choice")
    if choice.mode == "named":
        return tools
    return tuple(tool for tool in tools if tool.name in choice.names)


def _choice(choice: ToolChoice | None, names: ToolNames, *, single: bool) -> dict[str, Json] | None:
    if choice is None and not single:
        return None
    mode = choice.mode if choice else "auto"
    if mode == "none":
        return {"type": "none"}
    wire: dict[str, Json] = {"type": {"auto": "auto", "required": "any", "named": "tool"}[mode]}
    if choice is not None and mode == "named":
        wire["name"] = names.to_wire(choice.names[0])
    if single:
        wire["disable_parallel_tool_use"] = True
    return wire


def _tool(tool: Tool, names: ToolNames, compat: Compat, *, strict: bool) -> dict[str, Json]:
    wire: dict[str, Json] = {"name": names.to_wire(tool.name)}
    description = functiontools.description(tool)
    if description:
        wire["description"] = description
    if compat.eager_tool_input:
        wire["eager_input_streaming"] = True
    if strict:
        wire["strict"] = True
    wire["input_schema"] = functiontools.FREE_TEXT if tool.custom else schemas.input_schema(tool.parameters)
    if tool.cache_control is not None:
        wire["cache_control"] = tool.cache_control
    return wire


def _strict(tools: tuple[Tool, ...], compat: Compat) -> frozenset[str]:
    """The tools that are sent as strict: asked for, compilable as they are, and within Anthropic's limits together."""
    if not compat.native:
        return frozenset()
    asked = [t for t in tools if t.strict and not t.custom and schemas.qualifies_for_strict(t.parameters)]
    unions = sum(schemas.union_parameters(tool.parameters) for tool in asked)
    if len(asked) > MAX_STRICT_TOOLS or unions > MAX_STRICT_UNIONS:
        return frozenset()
    return frozenset(tool.name for tool in asked)


def _fits_a_tool(schema: Json) -> bool:
    """A tool's arguments are an object, described at the root."""
    return isinstance(schema, dict) and schema.get("type") == "object" and "$ref" not in schema


def _answer_tool(form: ResponseFormat, tools: tuple[Tool, ...]) -> Tool:
    name = form.name or _ANSWER_TOOL
    while any(tool.name == name for tool in tools):
        name += "_"
    told = "Give your whole answer by calling this tool once."
    tool = Tool(name, told, form.schema)
    return replace(tool, description=f"{form.description}\n\n{told}") if form.description else tool
