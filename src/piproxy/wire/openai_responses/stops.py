"""Stop sequences for an API that has none: the text ends where the first of them would begin."""

from __future__ import annotations

from collections.abc import Iterable


class StopCutter:
    """Text in, as it streams; text out, up to the first stop sequence.

    What could be the beginning of one is held back until it is clear. Of several, the one that is complete first
    counts, as for a server that looks after each token; so the cut does not depend on how the text was split.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(filter(None, stops))
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The text that is certain now; empty after a hit."""
        if self.hit or not self._stops:
            return "" if self.hit else text
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit = True
            self._held = ""
            return text[: min(found)[1]]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back for a stop sequence that never came."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` are the beginning of ``stop``."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
