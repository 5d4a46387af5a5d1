"""Which providers say everything and then keep their answers open: waiting for those saves no connection."""

from __future__ import annotations

from typing import Final

import trio

TIMES: Final = 2
"""So often in a row an answer was not ended in time: it may have been the network once."""
AGAIN: Final = 60.0
"""Seconds until such a provider gets another chance."""


class Lateness:
    """By base URL."""

    def __init__(self) -> None:
        self._late: dict[str, tuple[int, float]] = {}

    def expected(self, base_url: str) -> bool:
        """Will it not end its answer in time?"""
        times, at = self._late.get(base_url, (0, 0.0))
        return times >= TIMES and trio.current_time() < at + AGAIN

    def note(self, base_url: str, *, late: bool) -> None:
        if late:
            self._late[base_url] = self._late.get(base_url, (0, 0.0))[0] + 1, trio.current_time()
        else:
            self._late.pop(base_url, None)
