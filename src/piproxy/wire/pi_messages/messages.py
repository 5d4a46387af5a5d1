"""A chat's messages as pi's transcript. ``timestamp`` is part of the shape; here it counts the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import jsontext, transcript
from piproxy.chat import (
    AssistantMessage,
    Content,
    Image,
    Message,
    Part,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.pi_messages import replay
from piproxy.wire.pi_messages.replay import Block

_NO_USAGE: Final[dict[str, Json]] = {
    "input": 0,
    "output": 0,
    "cacheRead": 0,
    "cacheWrite": 0,
    "totalTokens": 0,
    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0},
}
_ANOTHER: Final = ("openai-completions", "piproxy", "history")
"""Api, provider and model of a turn that may be anybody's: the backend then keeps no signature of it."""


def transcript_of(
    messages: tuple[Message, ...], tools: list[Json], instruction: str | None, model: Model, kept: Mapping[str, Json]
) -> list[Json]:
    """``context.messages``. The first message is the system's; it declares the tools. ``kept`` is
    :attr:`~piproxy.wire.room.Options.replay`.
    """
    leading, rest = transcript.leading_system(messages)
    system = "\n\n".join(filter(None, (*(transcript.joined(message.content) for message in leading), instruction)))
    written: list[dict[str, Json]] = []
    if system or tools:
        written.append({"role": "system", "content": system, **({"toolsAdded": tools} if tools else {})})
    names = transcript.call_names(messages)
    written.extend(_message(message, model, names, kept) for message in rest)
    return [{**message, "timestamp": at} for at, message in enumerate(written)]


def _message(message: Message, model: Model, names: Mapping[str, str], kept: Mapping[str, Json]) -> dict[str, Json]:
    match message:
        case SystemMessage():
            return {"role": "system", "content": transcript.joined(message.content)}
        case UserMessage():
            content = message.content
            return {"role": "user", "content": content if isinstance(content, str) else _parts(content)}
        case ToolMessage():
            return {
                "role": "toolResult",
                "toolCallId": message.tool_call_id,
                "toolName": names.get(message.tool_call_id) or message.name or "",
                "content": _parts(message.content),
                "isError": message.content == transcript.NO_RESULT,
            }
        case AssistantMessage():
            return _assistant(message, model, kept)


def _assistant(message: AssistantMessage, model: Model, kept: Mapping[str, Json]) -> dict[str, Json]:
    calls = {call.id: _call(call) for call in message.tool_calls}
    known = replay.recalled(message, kept, model.canonical_id)
    if known is not None:
        content = [{**block, **calls[block["id"]]} if block["type"] == "toolCall" else block for block in known]
        signed = True
    else:
        thinking = replay.thinking_of(message, model.canonical_id)
        refusal = [{"type": "text", "text": message.refusal}] if message.refusal else []
        content = [*thinking, *_parts(message.content), *refusal, *calls.values()]
        signed = bool(thinking)
    api, provider, name = (model.api, model.provider, model.id) if signed else _ANOTHER
    return {
        "role": "assistant",
        "content": content,
        "api": api,
        "provider": provider,
        "model": name,
        "usage": _NO_USAGE,
        "stopReason": "toolUse" if calls else "stop",
    }


def _call(call: ToolCall) -> Block:
    arguments = {"input": call.arguments} if call.custom else _arguments(call.arguments)
    return {"type": "toolCall", "id": call.id, "name": call.name, "arguments": arguments}


def _arguments(text: str) -> Json:
    """The arguments as an object; what is none is wrapped rather than lost."""
    if not text.strip():
        return {}
    try:
        value = jsontext.parse(text)
    except (ValueError, RecursionError):
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": text}


def _parts(content: Content | None) -> list[Block]:
    return [_part(part) for part in transcript.parts(content)]


def _part(part: Part) -> Block:
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case Image():
            if part.remote:
                raise NeedsInlineImages(
                    "This model's provider takes images only as data: URIs with base64, not as addresses.",
                    param="messages",
                )
            return {"type": "image", "data": part.data_value, "mimeType": part.media_type}
        case _:
            raise UnsupportedParameter("This model's API takes only texts and images.", param="messages", part=part)
