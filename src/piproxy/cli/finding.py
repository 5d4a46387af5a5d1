"""One thing that ``piproxy doctor`` has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "note", "warning", "error"]
"""``note``: good to know; ``warning``: works, and should be mended; ``error``: something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``next_step`` is what to do about it, a line each; empty when there is nothing to do."""

    level: Level
    what: str
    next_step: str = ""
