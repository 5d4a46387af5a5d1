"""Signatures of a tool loop: the answer's content as pi keeps it, given back with the same model's name.

pi-messages passes signatures of the model behind it through, on texts, thinking and calls, and wants them back. They
are remembered under the id of the answer's first call, and shown to the client as ``reasoning_details``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import transcript
from piproxy.chat import AssistantMessage
from piproxy.jsontext import Json

FORMAT: Final = "pi-messages-v1"

Block = dict[str, Json]


def detail(block: Block, index: int, model: str) -> list[Json]:
    """A signed thinking block as ``reasoning_details``."""
    return [{"type": "reasoning.text", "format": FORMAT, "index": index, "model": model, "block": block}]


def layout(model: str, blocks: list[Block]) -> Json:
    """What to remember of an answer; of its calls the signatures and places, not the arguments."""
    return {"model": model, "blocks": blocks}


def recalled(message: AssistantMessage, remembered: Mapping[str, Json], model: str) -> list[Block] | None:
    """The remembered blocks of this very message; ``None`` if it is not known or was changed."""
    known = next((remembered[call.id] for call in message.tool_calls if call.id in remembered), None)
    if not isinstance(known, dict) or known.get("model") != model or not isinstance(known.get("blocks"), list):
        return None
    blocks: list[Block] = known["blocks"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    ids = [block["id"] for block in blocks if block["type"] == "toolCall"]
    if text != transcript.joined(message.content, "") or ids != [call.id for call in message.tool_calls]:
        return None
    return blocks


def thinking_of(message: AssistantMessage, model: str) -> list[Block]:
    """Thinking blocks that the client echoes."""
    details = message.reasoning_details
    return [
        item["block"]
        for item in (details if isinstance(details, list) else ())
        if isinstance(item, dict)
        and item.get("format") == FORMAT
        and item.get("model") == model
        and isinstance(item.get("block"), dict)
        and item["block"].get("type") == "thinking"
    ]
