"""Thinking that must go back as it came: signed (Claude) or encrypted (wire reference, 1.5 and 5.3).

It comes back in the assistant turn (``reasoning_details``) or from this process's memory (``Options.replay``), and only
to the model that wrote it: another one refuses the signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from piproxy.chat import AssistantMessage
from piproxy.jsontext import Json

_FORMAT: Final = "bedrock-converse-v1"


def detail(block: Json) -> Json:
    """A ``reasoningContent`` block as an item of ``reasoning_details``."""
    return {"type": "reasoning.encrypted", "format": _FORMAT, "data": block}


def remembered(model: str, blocks: Sequence[Json]) -> Json:
    """What this process remembers of a turn, by each of its tool calls."""
    return {"model": model, "reasoning": list(blocks)}


def blocks_of(message: AssistantMessage, model: str, replay: Mapping[str, Json]) -> list[Json]:
    """The ``reasoningContent`` blocks of a turn in the history, in order; empty where nobody kept them."""
    for call in message.tool_calls:
        kept = replay.get(call.id)
        if isinstance(kept, dict) and kept.get("model") == model and isinstance(kept.get("reasoning"), list):
            return [block for block in kept["reasoning"] if isinstance(block, dict)]
    details = message.reasoning_details
    return [
        item["data"]
        for item in (details if isinstance(details, list) else (details,))
        if isinstance(item, dict) and item.get("format") == _FORMAT and isinstance(item.get("data"), dict)
    ]
