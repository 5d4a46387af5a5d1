"""A thinking level in the words of the upstream: the thinking formats of the wire reference, 3.4.

A client that says nothing sends nothing, so the provider's default applies (decision 3 of the design); the *off* column
of the table is for ``reasoning_effort: "none"`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from piproxy.budget import thinking_budget
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.compat import Compat


def thinking_fields(model: Model, compat: Compat, level: str | None, cap: int | None) -> dict[str, Json]:
    """Body fields for a pi level; ``None``: the client said nothing. ``cap`` is the output limit that is sent.

    Empty when the upstream has no words for it.
    """
    if not model.reasoning:
        return {}
    budget = None if level is None else thinking_budget(level, cap if cap is not None else model.max_tokens or None)
    fields = _fields(model, compat, level, budget)
    if compat.thinking_budget_field and budget is not None:
        fields[compat.thinking_budget_field] = budget
    return fields


def _fields(model: Model, compat: Compat, level: str | None, budget: int | None) -> dict[str, Json]:
    match compat.thinkingFormat:
        case "chat-template":
            return _template("chat_template_kwargs", compat.chatTemplateKwargs, model, level, budget)
        case "baseten":
            fields = _template("chat_template_args", compat.chatTemplateArgs, model, level, budget)
            return fields | (_effort(model, compat, level, strict=True) if level is not None else {})
        case _ if level is None:
            return {}
        case "qwen-chat-template":
            return {"chat_template_kwargs": {"enable_thinking": level != "off", "preserve_thinking": True}}
        case "deepseek":
            if level == "off":
                return {} if _unwanted(model) else {"thinking": {"type": "disabled"}}
            return {"thinking": {"type": "enabled"}} | _effort(model, compat, level)
        case "zai":
            if level == "off":
                return {"thinking": {"type": "disabled"}}
            return {"thinking": {"type": "enabled", "clear_thinking": False}} | _effort(
                model, compat, level, strict=True
            )
        case "qwen":
            on = level != "off"
            return {"enable_thinking": on} | (_effort(model, compat, level) if on else {})
        case "together":
            on = level != "off"
            return {"reasoning": {"enabled": on}} | (_effort(model, compat, level) if on else {})
        case "openrouter":
            effort = _word(model, level)
            return {} if effort is None else {"reasoning": {"effort": effort}}
        case "string-thinking":
            effort = _word(model, level)
            return {} if effort is None else {"thinking": effort}
        case "ant-ling":
            mapped = model.thinking_level_map.get(level) if level != "off" else None
            return {"reasoning": {"effort": mapped}} if mapped is not None else {}
        case _:
            if level == "off":
                off = model.thinking_level_map.get("off")
                return {"reasoning_effort": off} if off is not None and compat.supportsReasoningEffort else {}
            return _effort(model, compat, level)


def _effort(model: Model, compat: Compat, level: str, *, strict: bool = False) -> dict[str, Json]:
    """``reasoning_effort``, where the server takes it. ``strict``: nothing for a level that the map excludes."""
    if not compat.supportsReasoningEffort:
        return {}
    mapped = model.thinking_level_map.get(level)
    if level == "off" or (strict and level in model.thinking_level_map):
        return {"reasoning_effort": mapped} if mapped is not None else {}
    return {"reasoning_effort": mapped or level}


def _unwanted(model: Model) -> bool:
    """The map says that thinking cannot be switched off."""
    return "off" in model.thinking_level_map and model.thinking_level_map["off"] is None


def _word(model: Model, level: str) -> str | None:
    """The level as one word, *off* included."""
    if level == "off":
        return None if _unwanted(model) else model.thinking_level_map.get("off") or "none"
    return model.thinking_level_map.get(level) or level


def _template(
    name: str, values: Mapping[str, Json], model: Model, level: str | None, budget: int | None
) -> dict[str, Json]:
    """Template arguments of the model entry with their variables replaced; plain values always go along."""
    filled = {key: _filled(value, model, level, budget) for key, value in values.items()}
    present = {key: value for key, value in filled.items() if value is not None}
    return {name: present} if present else {}


def _filled(value: Json, model: Model, level: str | None, budget: int | None) -> Json:
    if not isinstance(value, Mapping):
        return value
    if level is None or (level == "off" and value.get("omitWhenOff")):
        return None
    match value.get("$var"):
        case "thinking.enabled":
            return level != "off"
        case "thinking.budget":
            return budget
        case _:
            mapped = model.thinking_level_map.get(level)
            return mapped if level == "off" or level in model.thinking_level_map else level
