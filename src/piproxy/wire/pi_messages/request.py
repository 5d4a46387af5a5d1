"""A chat as a request of pi's own protocol (wire-native-apis.md, 6): ``{model, context: {messages}, options}``."""

from __future__ import annotations

from typing import Final

from piproxy import budget, functiontools, jsontext, thinking, transcript
from piproxy.chat import Chat, Tool, ToolChoice
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.pi_messages.messages import transcript_of
from piproxy.wire.pi_messages.notes import Notes
from piproxy.wire.room import Options, WireRequest, refuse

_HONOURED: Final = frozenset(
    (
        "max_completion_tokens",
        "max_tokens",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "temperature",
        "tool_choice",
        "tools",
    )
)
"""Fields that have a place; the protocol has none for any other."""


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request; the model entry's own headers are not sent to these backends (as in pi).

    Raises :class:`~piproxy.errors.ClientError` for what the protocol cannot carry.
    """
    refuse(chat)
    messages = transcript.repaired(chat.messages, takes_images=model.takes_images)
    choice = chat.tool_choice
    tools = [tool for tool in chat.tools if choice is None or choice.mode == "named" or _among(tool, choice)]
    form = chat.response_format  # the protocol has no field for it: the system prompt asks for it
    instruction = None if form is None or form.kind == "text" else functiontools.instruction(form)
    body = {
        "model": model.id,
        "context": {"messages": transcript_of(messages, [_tool(t) for t in tools], instruction, model, options.replay)},
        "options": {name: value for name, value in _options(chat, model, options).items() if value is not None},
    }
    lost = [name for name in chat.given if name not in _HONOURED]
    if not model.reasoning and chat.reasoning_effort not in (None, "none"):
        lost.append("reasoning_effort")
    if any(tool.strict for tool in tools):
        lost.append("tools.strict")
    return WireRequest(
        url=f"{model.base_url.rstrip('/')}/messages",
        body=jsontext.dump(jsontext.without_surrogates(body)),
        headers={"accept": "text/event-stream", "content-type": "application/json"},
        auth="bearer",
        dropped=(*lost, *chat.extra, *transcript.lost_names(chat.messages)),
        notes=Notes(
            model=model.canonical_id,
            custom=frozenset(tool.name for tool in chat.tools if tool.custom),
            wire_id=options.wire_id,
            prompt=chat,
        ),
    )


def _among(tool: Tool, choice: ToolChoice) -> bool:
    """OpenAI's ``allowed_tools``: the others are not shown to the model."""
    return not choice.names or tool.name in choice.names


def _options(chat: Chat, model: Model, options: Options) -> dict[str, Json]:
    """``options``; a backend's own defaults hold for what is absent, and no ``reasoning`` means off."""
    level = thinking.wanted(model, chat.reasoning_effort)
    retention = "long" if chat.prompt_cache_retention == "24h" else options.cache
    return {
        "temperature": chat.temperature,
        "maxTokens": budget.output_cap(chat.max_tokens, model, always=False),
        "reasoning": None if level == "off" else level,
        "cacheRetention": None if retention == "short" else retention,
        "sessionId": options.session_id,
        "toolChoice": _choice(chat.tool_choice) if chat.tools else None,
    }


def _choice(choice: ToolChoice | None) -> Json:
    if choice is None:
        return None
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.names[0]}}
    return choice.mode


def _tool(tool: Tool) -> dict[str, Json]:
    parameters = tool.parameters if tool.parameters is not None else {"type": "object", "properties": {}}
    return {
        "name": tool.name,
        "description": functiontools.description(tool),
        "parameters": functiontools.FREE_TEXT if tool.custom else parameters,
    }
