"""Marks up to which Anthropic keeps the prompt in its cache (wire-native-apis.md, 2.8): at most four in a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.wire.anthropic_messages.compat import Compat
from piproxy.wire.anthropic_messages.messages import Conversation
from piproxy.wire.anthropic_messages.parts import Block
from piproxy.wire.room import Options

MAX_MARKS: Final = 4
_MARKABLE: Final = frozenset(("text", "image", "document", "tool_result"))


def mark(chat: Chat, options: Options, compat: Compat, told: Conversation, tools: list[Block]) -> None:
    """Place the marks, in place: the client's own ones alone if it set any, otherwise the automatic ones.

    Automatic: the last tool, the last system block, and the last block of the conversation if it is not the
    assistant's. A mark at the request's root is put in these places, too.
    """
    if not compat.cache_on_tools:
        for tool in tools:
            tool.pop("cache_control", None)
    own = [block for block in _all(told, tools) if "cache_control" in block]
    if own:
        _limit(own, told)
        return
    value = chat.cache_control if chat.cache_control is not None else _automatic(chat, options, compat)
    if value is None:
        return
    if tools and compat.cache_on_tools:
        tools[-1]["cache_control"] = value
    if told.system:
        told.system[-1]["cache_control"] = value
    if not told.prefilled and told.turns[-1]["content"][-1]["type"] in _MARKABLE:
        told.turns[-1]["content"][-1]["cache_control"] = value


def _automatic(chat: Chat, options: Options, compat: Compat) -> Json:
    """The mark by retention; ``None`` for no marks."""
    if options.cache == "none":
        return None
    long = options.cache == "long" or chat.prompt_cache_retention == "24h"
    return {"type": "ephemeral", "ttl": "1h"} if long and compat.long_cache else {"type": "ephemeral"}


def _all(told: Conversation, tools: list[Block]) -> Iterator[Block]:
    """Every block that may carry a mark, in the order of the prompt: tools, system, conversation."""
    yield from tools
    yield from told.system
    for turn in told.turns:
        for block in turn["content"]:
            yield block
            if block["type"] == "tool_result" and isinstance(block["content"], list):
                yield from block["content"]


def _limit(marked: list[Block], told: Conversation) -> None:
    """Keep four marks; the first ones of the conversation go first, then those of the system prompt."""
    in_turns = {id(block) for turn in told.turns for block in turn["content"]}
    by_worth = sorted(marked, key=lambda block: 0 if id(block) in in_turns else 1)
    for block in by_worth[: max(0, len(marked) - MAX_MARKS)]:
        del block["cache_control"]
