"""What a scripted provider does, in no vendor's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Say:
    """Text, in these pieces."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Think:
    """Thinking, in these pieces."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; the argument text in these pieces."""

    id: str
    name: str
    pieces: tuple[str, ...]


Part: TypeAlias = Say | Think | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the provider. Usage is always the same: 100 tokens in, 64 of them cached, 20 out."""

    parts: tuple[Part, ...] = ()
    finish: str = "stop"
    """OpenAI's word, or ``cut``: the body ends without one."""
    status: int = 200
    message: str = ""
    """Of an error."""
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0.02
    """Seconds before each piece."""


INPUT, CACHED, OUTPUT, REASONING = 100, 64, 20, 8
"""The usage of every answer; ``REASONING`` only when it thought."""
