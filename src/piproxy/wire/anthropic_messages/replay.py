"""Thinking that must come back unchanged while a tool loop runs (wire-native-apis.md, 1.5).

Claude signs its thinking and wants it back, in its place, with the calls that followed it. OpenAI's messages have no
place for it, so it goes two ways: to the client as ``reasoning_details`` (OpenRouter's shape, which several clients
echo), and into :attr:`piproxy.wire.room.StreamParser.replay`, the layout of the whole message under the id of its first
call, for the clients that drop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import transcript
from piproxy.chat import AssistantMessage
from piproxy.jsontext import Json

FORMAT: Final = "anthropic-claude-v1"
"""OpenRouter's name for Claude's signed thinking."""

Block = dict[str, Json]


def detail(block: Block, index: int, model: str) -> list[Json]:
    """A thinking block as ``reasoning_details``; ``index`` counts the thinking blocks of the message."""
    common: Block = {"format": FORMAT, "index": index, "model": model}
    if block["type"] == "redacted_thinking":
        return [{"type": "reasoning.encrypted", "data": block["data"], **common}]
    return [{"type": "reasoning.text", "text": block["thinking"], "signature": block["signature"], **common}]


def layout(model: str, blocks: list[Block]) -> Json:
    """What to remember of a message: its thinking and texts, and where its calls stood (by the client's ids)."""
    return {"model": model, "blocks": blocks}


def recalled(message: AssistantMessage, remembered: Mapping[str, Json], model: str) -> list[Block] | None:
    """The remembered blocks of this very message, with ``{"type": "tool_use", "id": …}`` in the places of the calls.

    ``None`` if nothing is known, or the client changed the text or the calls, or another model wrote it.
    """
    blocks = _remembered(message, remembered, model)
    if blocks is None:
        return None
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if text != transcript.joined(message.content, "") or ids != [call.id for call in message.tool_calls]:
        return None
    return blocks


def thinking_of(message: AssistantMessage, remembered: Mapping[str, Json], model: str) -> list[Block]:
    """The thinking that stood before a message's words and calls, when its exact layout is not known."""
    blocks = _remembered(message, remembered, model)
    if blocks is not None:
        return [block for block in blocks if block["type"] in ("thinking", "redacted_thinking")]
    return _from_details(message.reasoning_details, model)


def _remembered(message: AssistantMessage, remembered: Mapping[str, Json], model: str) -> list[Block] | None:
    known = next((remembered[call.id] for call in message.tool_calls if call.id in remembered), None)
    if not isinstance(known, dict) or known.get("model") != model or not isinstance(known.get("blocks"), list):
        return None
    blocks: list[Block] = known["blocks"]
    return blocks


def _from_details(details: Json, model: str) -> list[Block]:
    """Claude's thinking out of what the client echoes: OpenRouter's items, or Anthropic's own blocks."""
    if not isinstance(details, list):
        return []
    found: list[Block] = []
    for item in details:
        if not isinstance(item, dict) or item.get("model", model) != model:
            continue
        match item.get("type"):
            case "reasoning.text" if _is_ours(item):
                found.append({"type": "thinking", "thinking": item.get("text") or "", "signature": item["signature"]})
            case "reasoning.encrypted" if item.get("format") == FORMAT and isinstance(item.get("data"), str):
                found.append({"type": "redacted_thinking", "data": item["data"]})
            case "thinking" if isinstance(item.get("signature"), str):
                found.append(
                    {"type": "thinking", "thinking": item.get("thinking") or "", "signature": item["signature"]}
                )
            case "redacted_thinking" if isinstance(item.get("data"), str):
                found.append({"type": "redacted_thinking", "data": item["data"]})
            case _:
                pass
    return found


def _is_ours(item: Mapping[str, Json]) -> bool:
    return item.get("format") == FORMAT and isinstance(item.get("signature"), str)
