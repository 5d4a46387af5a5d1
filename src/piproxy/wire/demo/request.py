"""A chat as the demo provider's request (format: :mod:`piproxy.wire.demo`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from piproxy import jsontext, thinking
from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    Content,
    File,
    Image,
    Message,
    Refusal,
    SystemMessage,
    Text,
    ToolMessage,
)
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.transcript import lost_names, parts
from piproxy.wire.demo import URL
from piproxy.wire.room import Options, WireRequest, refuse

_USED: Final = frozenset(
    (
        "max_completion_tokens",
        "max_tokens",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "stop",
        "tool_choice",
        "tools",
    )
)
"""Request fields that the demo provider understands."""


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:  # noqa: ARG001  (the rooms' signature)
    """The whole conversation, and what of the request's fields the provider plays with.

    Raises :class:`~piproxy.errors.UnsupportedParameter` as the other rooms do.
    """
    refuse(chat)
    body: dict[str, Json] = {
        "model": model.id,
        "system": "\n".join(_text(m.content) for m in chat.messages if isinstance(m, SystemMessage)),
        "messages": [_message(m) for m in chat.messages if not isinstance(m, SystemMessage)],
        "tools": [{"name": tool.name, "parameters": tool.parameters, "custom": tool.custom} for tool in chat.tools],
        "max_tokens": chat.max_tokens,
        "stop": list(chat.stop),
        "thinking": _thinking(chat, model),
    }
    if chat.tool_choice is not None:
        body["tool_choice"] = {"mode": chat.tool_choice.mode, "names": list(chat.tool_choice.names)}
    if chat.response_format is not None and chat.response_format.kind != "text":
        body |= {"format": "json", "schema": chat.response_format.schema}
    return WireRequest(
        url=URL,
        body=jsontext.dump(body),
        headers={"content-type": "application/json", "accept": "text/event-stream"},
        auth="none",
        dropped=(
            *(name for name in chat.given if name not in _USED),
            *chat.extra,
            *lost_names(chat.messages),
            *_lost_parts(chat.messages),
        ),
    )


def _lost_parts(messages: Iterable[Message]) -> Iterator[str]:
    """What the provider neither hears nor reads."""
    seen = {type(part) for message in messages for part in parts(message.content)}
    yield from (f"messages.{name}" for kind, name in ((Audio, "input_audio"), (File, "file")) if kind in seen)


def _thinking(chat: Chat, model: Model) -> str:
    """The level; ``medium`` is the provider's default for a model that thinks."""
    return thinking.wanted(model, chat.reasoning_effort) or ("medium" if model.reasoning else "off")


def _message(message: Message) -> dict[str, Json]:
    content = message.content
    shown: dict[str, Json] = {"role": "user", "text": _text(content)}
    if isinstance(content, tuple) and (images := sum(isinstance(part, Image) for part in content)):
        shown["images"] = images
    if isinstance(message, AssistantMessage):
        shown["role"] = "assistant"
        if message.tool_calls:
            shown["calls"] = [
                {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
            ]
    if isinstance(message, ToolMessage):
        shown |= {"role": "tool", "call": message.tool_call_id}
    return shown


def _text(content: Content | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content if isinstance(part, Text | Refusal))
