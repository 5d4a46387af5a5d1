"""Thinking in an answer: under one of its names, in content parts, in ``reasoning_details`` (wire reference, 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from piproxy.jsontext import Json

FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_text")
_JOINED: Final = ("text", "summary", "data")


def content_parts(content: Json) -> Iterable[tuple[str, bool]]:
    """The texts of a ``content``, string or list, each with whether it is thinking."""
    if isinstance(content, str):
        yield content, False
    if not isinstance(content, list):
        return
    for part in content:
        if isinstance(part, str):
            yield part, False
        elif isinstance(part, dict) and part.get("type") == "thinking":
            yield from ((text, True) for text in _thoughts(part.get("thinking")))
        elif isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
            text = part.get("text")
            if isinstance(text, str):
                yield text, False


def named_text(delta: Mapping[str, Json]) -> str:
    """The first of the reasoning fields that says something; some servers repeat the same text in two of them."""
    return next((delta[name] for name in FIELDS if isinstance(delta.get(name), str) and delta[name]), "")


def detail_items(delta: Mapping[str, Json]) -> list[dict[str, Json]]:
    details = delta.get("reasoning_details")
    return [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []


def detail_text(items: Iterable[Mapping[str, Json]]) -> str:
    """What can be read in ``reasoning_details``."""
    found = ((item.get("text"), item.get("summary")) for item in items)
    return "".join(next((text for text in pair if isinstance(text, str)), "") for pair in found)


def add_details(whole: list[dict[str, Json]], items: Iterable[dict[str, Json]]) -> None:
    """Put streamed details together in place: pieces of one block follow each other with its type and index."""
    for item in items:
        last = whole[-1] if whole else None
        if last is not None and _same_block(last, item):
            for name, value in item.items():
                if name in _JOINED and isinstance(value, str) and isinstance(last.get(name), str):
                    last[name] += value
                elif value is not None:
                    last[name] = value
        else:
            whole.append(dict(item))


def _same_block(last: Mapping[str, Json], item: Mapping[str, Json]) -> bool:
    if last.get("type") != item.get("type") or last.get("index") != item.get("index"):
        return False
    ids = {value for value in (last.get("id"), item.get("id")) if isinstance(value, str)}
    return len(ids) < 2 and item.get("type") != "reasoning.encrypted"


def _thoughts(thinking: Json) -> Iterable[str]:
    if isinstance(thinking, str):
        yield thinking
    for piece in thinking if isinstance(thinking, list) else ():
        if isinstance(piece, dict) and piece.get("type", "text") == "text" and isinstance(piece.get("text"), str):
            yield piece["text"]
