"""Thinking, effort and sampling (wire-native-apis.md, 2.5), by the flags of the model's entry.

``reasoning_effort`` absent sends nothing (decision 3 of the design). A model is either *adaptive* (it decides how much
to think, under an effort) or has a *budget* of thinking tokens; budgets come out of ``max_tokens``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from piproxy import budget, thinking
from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.anthropic_messages.compat import Compat

INTERLEAVED: Final = "interleaved-thinking-2025-05-14"
_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
_LEAST_TOP_P: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """Body members and betas about thinking."""

    body: dict[str, Json] = field(default_factory=dict)
    """``thinking``, or nothing."""
    effort: str | None = None
    on: bool = False
    """The request turns thinking on."""
    betas: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def thinking_for(chat: Chat, model: Model, compat: Compat, cap: int, *, budget_allowed: bool) -> Thinking:
    """What the client's ``reasoning_effort`` becomes.

    ``cap`` is ``max_tokens``. ``budget_allowed`` is false where the rest of the request and a thinking budget exclude
    each other: a forced tool, a prefilled answer, a running tool loop whose thinking was lost.
    """
    level = thinking.wanted(model, chat.reasoning_effort)
    if level is None:
        return Thinking()
    if not model.reasoning:
        return Thinking(dropped=("reasoning_effort",) if chat.reasoning_effort != "none" else ())
    if level == "off":
        return Thinking(body={"thinking": {"type": "disabled"}})
    unwanted = chat.reasoning_effort == "none"  # but the model cannot be without
    display = "omitted" if unwanted else "summarized"
    if compat.adaptive:
        effort = "low" if unwanted else _effort(model, level)
        return Thinking(body={"thinking": {"type": "adaptive", "display": display}}, effort=effort, on=True)
    tokens = budget.thinking_budget(level, cap) if budget_allowed else None
    if tokens is None:
        return Thinking(dropped=() if unwanted else ("reasoning_effort",))
    return Thinking(
        body={"thinking": {"type": "enabled", "budget_tokens": tokens, "display": display}},
        on=True,
        betas=(INTERLEAVED,),
    )


def sampling_for(chat: Chat, compat: Compat, *, thinks: bool) -> tuple[dict[str, Json], list[str]]:
    """``temperature``, ``top_p`` and ``top_k`` as the model takes them, and the client's fields that it does not take.

    Thinking excludes ``temperature`` and ``top_k``, and a ``top_p`` below 0.95; models after Opus 4.6 take none of the
    three; no Claude takes ``temperature`` together with ``top_p``. The scale of ``temperature`` ends at 1.
    """
    body: dict[str, Json] = {}
    if compat.temperature and not thinks:
        if chat.temperature is not None:
            body["temperature"] = min(chat.temperature, 1)
        elif chat.top_p is not None:
            body["top_p"] = chat.top_p
        if chat.top_k is not None:
            body["top_k"] = chat.top_k
    elif compat.temperature and chat.top_p is not None and chat.top_p >= _LEAST_TOP_P:
        body["top_p"] = chat.top_p
    given = {"temperature": chat.temperature, "top_p": chat.top_p, "top_k": chat.top_k}
    return body, [name for name, value in given.items() if value is not None and name not in body]


def _effort(model: Model, level: str) -> str:
    """The entry's own word for the level, else Anthropic's nearest."""
    return model.thinking_level_map.get(level) or _EFFORTS.get(level, "high")
