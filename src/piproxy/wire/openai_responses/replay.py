"""Reasoning that must come back: encrypted items, kept from one answer for the requests that follow.

With ``store: false`` the provider remembers nothing; a reasoning item can be given back only if it holds
``encrypted_content``, and only to the model that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from piproxy.jsontext import Json
from piproxy.wire.openai_responses.calls import CALL_TYPES

FORMAT: Final = "openai-responses-v1"
"""What OpenRouter calls this kind of ``reasoning_details``."""


def whole_items(
    done: Mapping[int, Mapping[str, Json]], listed: Iterable[Mapping[str, Json]]
) -> list[Mapping[str, Json]]:
    """The output items in order: as each was finished, else as the terminal event lists them.

    Azure may tell ``encrypted_content`` in the terminal event only.
    """
    last = list(listed)
    by_id = {item["id"]: item for item in last if _encrypted(item) and isinstance(item.get("id"), str)}
    if not done:
        return last
    items = [done[at] for at in sorted(done)]
    return [item if _encrypted(item) else by_id.get(_id(item), item) for item in items]


def opaque(item: Mapping[str, Json], model: str) -> Json:
    """An encrypted reasoning item as one of ``reasoning_details``; ``None`` for any other item."""
    if not _encrypted(item):
        return None
    return {
        "type": "reasoning.encrypted",
        "format": FORMAT,
        "id": item.get("id"),
        "data": item["encrypted_content"],
        "model": model,
    }


def remembered(items: Iterable[Mapping[str, Json]], model: str) -> dict[str, Json]:
    """By call id: the encrypted reasoning items that led to the call."""
    memory: dict[str, Json] = {}
    waiting: list[Json] = []
    for item in items:
        if _encrypted(item):
            waiting.append(dict(item))
        elif item.get("type") in CALL_TYPES and waiting and isinstance(item.get("call_id"), str):
            memory[item["call_id"]] = {"model": model, "items": waiting}
            waiting = []
    return memory


def recalled(value: Json, model: str) -> list[Json]:
    """The items of :func:`remembered`, if they are this model's; ``value`` may be anything."""
    if not isinstance(value, dict) or value.get("model") != model or not isinstance(value.get("items"), list):
        return []
    return [item for item in value["items"] if isinstance(item, dict)]


def from_details(details: Json, model: str) -> list[Json]:
    """The items that a client gives back as ``reasoning_details``, as far as they are this model's."""
    if not isinstance(details, list):
        return []
    return [
        {"type": "reasoning", "id": detail["id"], "summary": [], "encrypted_content": detail["data"]}
        for detail in details
        if isinstance(detail, dict)
        and detail.get("format") == FORMAT
        and detail.get("model") == model
        and isinstance(detail.get("data"), str)
        and isinstance(detail.get("id"), str)
    ]


def _encrypted(item: Mapping[str, Json]) -> bool:
    return item.get("type") == "reasoning" and isinstance(item.get("encrypted_content"), str)


def _id(item: Mapping[str, Json]) -> str:
    value = item.get("id")
    return value if isinstance(value, str) else ""
