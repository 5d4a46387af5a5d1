"""Thinking of earlier turns, on its way back to who thought it (wire reference, 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.chat import AssistantMessage
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.compat import Compat

_REASONING_FIELDS: Final[Mapping[str, str | None]] = {
    "openai": None,
    "azure": None,
    "openrouter": "reasoning",
    "groq": "reasoning",
    "cerebras": "reasoning",
    "together": "reasoning",
    "github-copilot": "reasoning_text",
}
"""Where reasoning of an earlier turn goes back, by provider; ``None``: nowhere, OpenAI refuses it. Everybody else takes
``reasoning_content``."""


def remembered(replay: Mapping[str, Json], call_id: str, model: Model) -> Mapping[str, Json]:
    """What this process remembers of a call; nothing if another model made it, whose blocks this one could not read."""
    memory = replay.get(call_id)
    if not isinstance(memory, Mapping) or memory.get("model") != model.canonical_id:
        return {}
    return memory


def past_reasoning(
    message: AssistantMessage, memory: Mapping[str, Json], model: Model, compat: Compat
) -> dict[str, Json]:
    """Fields of the turn that hold its thinking; ``text`` is to be said as a leading text part.

    What the client gives back goes through; what it dropped is filled in from memory where the upstream needs it.
    """
    needed = compat.requiresReasoningContentOnAssistantMessages
    reasoning = message.reasoning
    if reasoning is None and needed:
        reasoning = memory.get("reasoning")
    details = message.reasoning_details or memory.get("reasoning_details")
    fields: dict[str, Json] = {}
    if compat.host in ("openrouter", "custom") and _is_details(details):
        fields["reasoning_details"] = details
        if compat.host == "openrouter":
            reasoning = None
    if reasoning:
        name = "text" if compat.requiresThinkingAsText else "reasoning_content" if needed else _field(compat)
        if name is not None:
            fields[name] = reasoning
    if needed and model.reasoning:
        fields.setdefault("reasoning_content", "")
    return fields


def _field(compat: Compat) -> str | None:
    vendor = next((name for name in _REASONING_FIELDS if compat.has(name)), None)
    return "reasoning_content" if vendor is None else _REASONING_FIELDS[vendor]


def _is_details(value: Json) -> bool:
    """OpenRouter's list, and not what another API calls opaque reasoning."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and str(item.get("type", "")).startswith("reasoning.") for item in value)
    )
