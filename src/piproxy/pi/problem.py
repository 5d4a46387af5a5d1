"""Something wrong in a file of pi's, for the start-up report, the log and ``piproxy doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and where; what does not depend on it keeps working."""

    path: Path
    reason: str
    line: int | None = None
    """Counted from 1; ``None`` when the trouble has no place in the text."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"
