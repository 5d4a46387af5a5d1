"""Header layers: later wins, names compare without case, ``None`` removes (wire-openai-family.md, 2.2)."""

from __future__ import annotations

from collections.abc import Mapping


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
