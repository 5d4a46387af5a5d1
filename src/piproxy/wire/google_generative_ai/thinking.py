"""``thinkingConfig`` (wire reference, 3.4): a level for Gemini 3 and later, a budget in tokens before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import thinking
from piproxy.budget import MIN_ANSWER
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.google_generative_ai.generation import thinks_by_level

_DYNAMIC: Final = -1
_BUDGETS: Final[tuple[tuple[str, Mapping[str, int]], ...]] = (
    ("2.5-pro", {"minimal": 128, "low": 2048, "medium": 8192, "high": 32768}),
    ("2.5-flash-lite", {"minimal": 512, "low": 2048, "medium": 8192, "high": 24576}),
    ("2.5-flash", {"minimal": 128, "low": 2048, "medium": 8192, "high": 24576}),
)
"""Tokens per level, by the first part that the id contains; the catalog has no budgets."""
_ALWAYS_THINKS: Final = "2.5-pro"
"""It refuses a budget of 0; 128 is its least."""


def thinking_config(model: Model, effort: str | None, cap: int | None) -> dict[str, Json] | None:
    """What to send; ``None`` when the client said nothing (the provider's default applies) or there is no thinking.

    ``none`` asks for the least that the model can do and shows nothing. ``cap`` is the output limit, which includes
    thinking: a budget leaves 1024 tokens of it for the answer.
    """
    level = thinking.wanted(model, effort)
    if level is None or not model.reasoning:
        return None
    shown = effort != "none"
    config: dict[str, Json] = {"includeThoughts": True} if shown else {}
    if thinks_by_level(model):
        name = "low" if level == "off" else thinking.value(model, level)  # every one of them has a low level
        return {**config, "thinkingLevel": name.upper()}
    return {**config, "thinkingBudget": _budget(model, level if shown else "off", cap)}


def _budget(model: Model, level: str, cap: int | None) -> int:
    name = model.id.lower()
    least = 128 if _ALWAYS_THINKS in name else 0
    if level == "off":
        return least
    known = next((budgets for part, budgets in _BUDGETS if part in name), None)
    if known is None:
        return _DYNAMIC
    budget = known.get(level, known["high"])
    if cap is not None and budget > cap - MIN_ANSWER:
        budget = max(cap - MIN_ANSWER, least)
        return budget if budget >= known["minimal"] else least
    return budget
