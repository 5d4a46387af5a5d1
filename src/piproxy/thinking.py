"""Thinking levels: which a model has, and what a wish becomes (pi-on-disk.md, 8.5; checked against pi 1.5.2 there)."""

from __future__ import annotations

from typing import Final

from piproxy.model import Model

LEVELS: Final = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
_NEEDS_ENTRY: Final = frozenset(("xhigh", "max"))

BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 16384, "max": 16384}
"""Thinking tokens per level, where an API wants a number (pi's defaults)."""


def supported(model: Model) -> tuple[str, ...]:
    """The levels that the model has, in order."""
    if not model.reasoning:
        return ("off",)
    levels = model.thinking_level_map
    return tuple(
        level
        for level in LEVELS
        if (level in levels or level not in _NEEDS_ENTRY) and levels.get(level, level) is not None
    )


def clamp(model: Model, level: str) -> str:
    """The nearest level that the model has: itself, else the next higher, else the next lower.

    An unknown name becomes the model's first level, as in pi.
    """
    have = supported(model)
    if level in have:
        return level
    if level not in LEVELS:
        return have[0]
    at = LEVELS.index(level)
    return next((higher for higher in LEVELS[at:] if higher in have), None) or next(
        lower for lower in reversed(LEVELS[:at]) if lower in have
    )


def wanted(model: Model, effort: str | None) -> str | None:
    """The pi level for a client's ``reasoning_effort``; ``None`` when the client said nothing (decision 3).

    ``none`` is ``off``; everything else is clamped by name.
    """
    if effort is None:
        return None
    return clamp(model, "off" if effort == "none" else effort)


def value(model: Model, level: str) -> str:
    """What the provider calls the level: the map's string, else the level's own name."""
    return model.thinking_level_map.get(level) or level
