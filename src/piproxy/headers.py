"""Header layers: later wins, names compare without case, ``None`` removes (wire-openai-family.md, 2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SENDABLE: Final = re.compile(r"[\t\x20-\x7e]*")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def merge(*layers: Mapping[str, str | None]) -> dict[str, str]:
    """One header set out of layers, lowest first. The spelling of the last layer that set a name is kept."""
    merged: dict[str, tuple[str, str | None]] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[name.lower()] = (name, value)
    return {name: value for name, value in merged.values() if value is not None}


def layered(*layers: Mapping[str, str | None]) -> dict[str, str | None]:
    """Like :func:`merge`, but removals are kept, for a result that will itself become a layer."""
    merged: dict[str, tuple[str, str | None]] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[name.lower()] = (name, value)
    return dict(merged.values())


def get(headers: Mapping[str, str | None], name: str) -> str | None:
    """The value of ``name``, compared without case."""
    wanted = name.lower()
    for key, value in headers.items():
        if key.lower() == wanted:
            return value
    return None


def trimmed(value: str) -> str:
    """Without white space around, as ``fetch`` sends every header, and so pi: keys from files end with a line end."""
    return value.strip(" \t\r\n")


def flaw(value: str, name: str = "Authorization") -> str | None:
    """Why the text cannot be sent as a header, in words that hold nothing of it; ``None`` when it can."""
    text = trimmed(value)
    if not _NAME.fullmatch(name):
        return "no header can have that name"
    if _SENDABLE.fullmatch(text):
        return None
    if "\n" in text or "\r" in text:
        return "it has several lines"
    return "it has a control character" if text.isascii() else "it has a character that is not ASCII"
