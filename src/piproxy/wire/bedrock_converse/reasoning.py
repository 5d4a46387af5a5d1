"""Thinking that must go back as it came: signed (Claude) or encrypted (wire reference, 1.5 and 5.3).

It comes back from this process's memory (``Options.replay``), with the whole layout of the turn, or in the turn itself
(``reasoning_details``); and only to the model that wrote it, since another one refuses the signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from piproxy import transcript
from piproxy.chat import AssistantMessage
from piproxy.jsontext import Json

_FORMAT: Final = "bedrock-converse-v1"


@dataclass(frozen=True, slots=True)
class Layout:
    """Blocks to send. ``exact``: the whole turn, with ``{"toolUse": id}`` in the places of the calls; else only the
    reasoning that stood before the words."""

    entries: Sequence[Json] = ()
    exact: bool = False


def detail(block: Json, model: str) -> Json:
    """A ``reasoningContent`` block as an item of ``reasoning_details``."""
    return {"type": "reasoning.encrypted", "format": _FORMAT, "model": model, "data": block}


def remembered(model: str, entries: Sequence[Json]) -> Json:
    """What this process remembers of a turn."""
    return {"model": model, "blocks": list(entries)}


def layout_of(message: AssistantMessage, model: str, replay: Mapping[str, Json]) -> Layout:
    """What is known of a turn in the history."""
    known = next((kept for call in message.tool_calls if (kept := replay.get(call.id)) is not None), None)
    if isinstance(known, dict) and known.get("model") == model and isinstance(known.get("blocks"), list):
        entries = [entry for entry in known["blocks"] if isinstance(entry, dict)]
        said = "".join(entry["text"] for entry in entries if "text" in entry)
        ids = [entry["toolUse"] for entry in entries if "toolUse" in entry]
        if said == transcript.joined(message.content, "") and ids == [call.id for call in message.tool_calls]:
            return Layout([entry for entry in entries if entry.get("text", "x").strip()], exact=True)
        return Layout([entry for entry in entries if "reasoningContent" in entry])
    details = message.reasoning_details
    return Layout(
        [
            {"reasoningContent": item["data"]}
            for item in (details if isinstance(details, list) else (details,))
            if isinstance(item, dict)
            and item.get("format") == _FORMAT
            and item.get("model") == model
            and isinstance(item.get("data"), dict)
        ]
    )
