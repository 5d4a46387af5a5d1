"""Marks for the prompt cache: the client's own, or pi's automatic ones (wire reference, 2.6 and 3.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.wire.openai_completions.compat import Compat
from piproxy.wire.room import Options

MarkKind: TypeAlias = Literal["cache_control", "prompt_cache_breakpoint"]

KEY_LENGTH: Final = 64
"""OpenAI's limit for ``prompt_cache_key``, in code points."""


def mark_kind(mark: Json) -> MarkKind:
    """Anthropic's marks have a ``type``; OpenAI's breakpoints have none."""
    return "cache_control" if isinstance(mark, Mapping) and "type" in mark else "prompt_cache_breakpoint"


def accepts(compat: Compat, kind: MarkKind) -> bool:
    """Whether the upstream knows the mark; strict ones answer 400 to a mark that they do not know."""
    if compat.host == "custom":
        return True
    if kind == "prompt_cache_breakpoint":
        return compat.host == "openai"
    return compat.cacheControlFormat == "anthropic" or compat.host == "openrouter" or compat.has("vercel", "qwen")


def client_marks(chat: Chat) -> list[Json]:
    """All marks that the client set itself, except the one at the root."""
    found: list[Json] = [tool.cache_control for tool in chat.tools]
    for message in chat.messages:
        found.append(message.cache_control)
        if isinstance(message.content, tuple):
            found.extend(getattr(part, "cache_control", None) for part in message.content)
    return [mark for mark in found if mark is not None]


def automatic_mark(chat: Chat, compat: Compat, options: Options) -> Json | None:
    """The mark that pi would set, or the client's wish at the root; none where the client set marks of its own."""
    if compat.cacheControlFormat != "anthropic" or client_marks(chat):
        return None
    if isinstance(chat.cache_control, Mapping):
        return chat.cache_control
    if options.cache == "none":
        return None
    long = options.cache == "long" and compat.supportsLongCacheRetention
    return {"type": "ephemeral", "ttl": "1h"} if long else {"type": "ephemeral"}


def place(mark: Json, messages: Sequence[dict[str, Json]], tools: Sequence[dict[str, Json]]) -> None:
    """Set the mark in place: on the first system message, the last tool and the last message with text."""
    for message in messages:
        if message["role"] in ("system", "developer"):
            mark_text(message, mark)
            break
    if tools:
        tools[-1]["cache_control"] = mark
    for message in reversed(messages):
        if message["role"] in ("user", "assistant", "tool") and mark_text(message, mark):
            break


def mark_text(message: dict[str, Json], mark: Json) -> bool:
    """Set the mark on the last text of a message; whether it has one."""
    content = message.get("content")
    if isinstance(content, str) and content:
        message["content"] = [{"type": "text", "text": content, "cache_control": mark}]
        return True
    texts = [part for part in content if part["type"] == "text"] if isinstance(content, list) else []
    if texts:
        texts[-1]["cache_control"] = mark
    return bool(texts)


def cache_key(compat: Compat, base_url: str, options: Options) -> str | None:
    """The session id as ``prompt_cache_key``, where pi would send one."""
    if options.cache == "none" or not options.session_id:
        return None
    long = options.cache == "long" and compat.supportsLongCacheRetention
    wanted = compat.promptCacheKeyMode == "enabled" or (
        compat.promptCacheKeyMode == "auto" and ("api.openai.com" in base_url or long)
    )
    return options.session_id[:KEY_LENGTH] if wanted else None
