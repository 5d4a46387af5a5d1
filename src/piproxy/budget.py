"""How many tokens may come out, and how many of them may be thinking (wire-native-apis.md, 1.3).

OpenAI's ``max_completion_tokens`` includes reasoning, so the client's number is kept and the thinking budget shrinks to
fit under it; nothing is ever added to what the client allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from piproxy.chat import AssistantMessage, Chat, Content, File, Image, Refusal, Text
from piproxy.events import Usage
from piproxy.jsontext import dump
from piproxy.model import Model
from piproxy.thinking import BUDGETS

IMAGE_CHARS: Final = 4800
"""What an image counts for in characters (pi's estimate)."""
CHARS_PER_TOKEN: Final = 3.5
MIN_ANSWER: Final = 1024
"""Tokens that thinking leaves for the answer, and also the least budget that providers accept."""

_MIN_MARGIN: Final = 4096
_MARGIN_SHARE: Final = 0.15
_TIGHT: Final = 32768


def prompt_chars(chat: Chat) -> int:
    """Characters of the prompt, tools included, for :func:`output_cap`; an image counts 4800."""
    return sum(_message_chars(chat)) + sum(
        len(tool.name) + len(tool.description or "") + len(dump(tool.parameters)) for tool in chat.tools
    )


def estimate(chars: int) -> int:
    """Tokens that ``chars`` characters probably are (pi's rule: 3.5 characters each)."""
    return math.ceil(chars / CHARS_PER_TOKEN)


def estimated_usage(prompt: Chat | None, said: int, reasoned: int = 0) -> Usage:
    """Usage of an answer whose provider counted nothing, from characters; ``said`` includes ``reasoned``.

    Whoever asks for usage waits for it.
    """
    asked = 0 if prompt is None else prompt_chars(prompt)
    return Usage(input=estimate(asked), output=estimate(said), reasoning=estimate(reasoned), estimated=True)


def output_cap(
    requested: int | None, model: Model, *, chars: int = 0, always: bool = True, floor: int = 1
) -> int | None:
    """The output limit to send, or ``None`` to send none.

    A number of the client's is kept, clamped to what the model can give (more is a 400 upstream) and raised to
    ``floor`` (Responses refuses less than 16). Without one, ``always`` asks for the model's maximum, fitted into what
    the window has left after a prompt of ``chars`` characters.
    """
    most = model.max_tokens if model.max_tokens > 0 else None
    if requested is not None:
        return max(floor, requested if most is None else min(requested, most))
    if not always or most is None:
        return None
    return max(floor, min(most, window_room(model, chars)))


def window_room(model: Model, chars: int) -> int:
    """Tokens that the context window has left for the answer, with pi's safety margin; at least 1."""
    if model.context_window <= 0:
        return model.max_tokens
    tokens = estimate(chars)
    room = model.context_window - tokens - max(_MIN_MARGIN, math.ceil(tokens * _MARGIN_SHARE))
    if room < _TIGHT:
        room = min(_TIGHT, model.context_window - tokens - _MIN_MARGIN)
    return max(1, room)


def thinking_budget(level: str, cap: int | None) -> int | None:
    """Thinking tokens for a pi level under an output limit of ``cap``.

    At least 1024 tokens are left for the answer; ``None``: there is no room for thinking at all (or the level is
    ``off``).
    """
    budget = BUDGETS.get(level, 0)
    if cap is not None:
        budget = min(budget, cap - MIN_ANSWER)
    return budget if budget >= MIN_ANSWER else None


def _message_chars(chat: Chat) -> Iterable[int]:
    for message in chat.messages:
        if message.content is not None:
            yield _content_chars(message.content)
        if isinstance(message, AssistantMessage):
            yield len(message.reasoning or "")
            yield from (len(call.name) + len(call.arguments) for call in message.tool_calls)


def _content_chars(content: Content) -> int:
    if isinstance(content, str):
        return len(content)
    chars = 0
    for part in content:
        match part:
            case Text() | Refusal():
                chars += len(part.text)
            case Image():
                chars += IMAGE_CHARS
            case File():
                chars += len(part.data or "")
            case _:
                chars += IMAGE_CHARS
    return chars
