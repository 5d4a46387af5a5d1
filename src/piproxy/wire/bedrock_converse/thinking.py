"""``additionalModelRequestFields`` for thinking, and what thinking forbids (wire reference, 2.5 and 5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from piproxy import thinking
from piproxy.budget import thinking_budget
from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.bedrock_converse.claude import Claude, claude, slug

_INTERLEAVED: Final = "interleaved-thinking-2025-05-14"
_EFFORT: Final = {"minimal": "low", "low": "low", "medium": "medium"}
"""Levels below ``high``, for a model whose entry names none."""
_MIN_TOP_P: Final = 0.95
"""The least that a thinking Claude accepts."""


@dataclass(frozen=True, slots=True)
class Thinking:
    fields: dict[str, Json] = field(default_factory=dict)
    on: bool = False
    ignored: bool = False
    """The client asked for an effort, and the model cannot be told, or cannot think."""


@dataclass(frozen=True, slots=True)
class Sampling:
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    dropped: tuple[str, ...] = ()


def thinking_for(chat: Chat, model: Model, cap: int | None, region: str, *, budget_allowed: bool = True) -> Thinking:
    """What to send. A forced tool wins over thinking, which Claude on Bedrock refuses beside it.

    ``budget_allowed`` is false where the history and a thinking budget exclude each other.
    """
    if not model.reasoning:
        return Thinking(ignored=chat.reasoning_effort not in (None, "none"))
    kind = claude(model)
    level = thinking.wanted(model, chat.reasoning_effort)
    if kind is None:
        return _other(model, level)
    forced = chat.tool_choice is not None and chat.tool_choice.mode in ("required", "named") and bool(chat.tools)
    if level is None and not (forced and kind.no_sampling):
        return Thinking()
    if kind.always_thinks and (level is None or forced or chat.reasoning_effort == "none"):
        effort: dict[str, Json] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
        return Thinking(
            effort if chat.reasoning_effort == "none" else {}, on=True, ignored=forced and level is not None
        )
    if level in (None, "off") or forced:
        disabled: dict[str, Json] = {"thinking": {"type": "disabled"}} if kind.no_sampling else {}
        return Thinking(disabled, ignored=forced and level not in (None, "off"))
    if not (kind.adaptive or budget_allowed):
        return Thinking(ignored=True)
    return _on(kind, model, level or "high", cap, shown=not _is_gov(model, region))


def _on(kind: Claude, model: Model, level: str, cap: int | None, *, shown: bool) -> Thinking:
    display: dict[str, Json] = {"display": "summarized"} if shown else {}
    if kind.adaptive:
        effort = model.thinking_level_map.get(level) or _EFFORT.get(level, "high")
        return Thinking({"thinking": {"type": "adaptive", **display}, "output_config": {"effort": effort}}, on=True)
    budget = thinking_budget(level, cap)
    if budget is None:
        return Thinking(ignored=True)
    wire = {"thinking": {"type": "enabled", "budget_tokens": budget, **display}, "anthropic_beta": [_INTERLEAVED]}
    return Thinking(wire, on=True)


def _other(model: Model, level: str | None) -> Thinking:
    """OpenAI's models take an effort; the rest has no control."""
    if level is None:
        return Thinking()
    name = slug(model)
    if level == "off" or "gpt-" not in name:
        return Thinking(ignored=True)
    if "gpt-oss" in name:
        return Thinking({"reasoning_effort": _EFFORT.get(level, "high")}, on=True)
    effort = model.thinking_level_map.get(level) or ("low" if level == "minimal" else level)
    return Thinking({"reasoning": {"effort": effort}}, on=True)


def sampling_for(chat: Chat, model: Model, *, thinks: bool) -> Sampling:
    """Temperature and its kin, as far as the model takes them (wire reference, 2.5 and 8)."""
    kind = claude(model)
    temperature = None if chat.temperature is None else min(chat.temperature, 1.0)
    top_p, top_k = chat.top_p, chat.top_k
    if kind is None:
        top_k = None
    elif kind.no_sampling:
        temperature = top_p = top_k = None
    elif thinks:
        temperature = top_k = None
        top_p = top_p if top_p is not None and top_p >= _MIN_TOP_P else None
    elif temperature is not None:
        top_p = None  # the newer ones take only one of the two
    kept = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
    asked = {"temperature": chat.temperature, "top_p": chat.top_p, "top_k": chat.top_k}
    dropped = tuple(name for name, value in asked.items() if value is not None and kept[name] is None)
    return Sampling(temperature, top_p, top_k, dropped)


def _is_gov(model: Model, region: str) -> bool:
    """GovCloud does not know ``display`` yet."""
    return region.startswith("us-gov-") or model.id.lower().startswith(("us-gov.", "arn:aws-us-gov:"))
