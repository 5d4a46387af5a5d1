"""Waiting for what happens in another process or in the operating system."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio


async def until(true: Callable[[], object]) -> None:
    """Look again and again; the caller sets the deadline."""
    while not true():  # noqa: ASYNC110  (nobody there could set an event)
        await trio.sleep(0.01)


class Said:
    """What a proxy in this process writes to its log, for tests that wait for a line of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.log = ""
        self._capsys = capsys

    async def until(self, words: str) -> None:
        """Until the log has said them; the caller sets the deadline."""

        def said() -> bool:
            self.log += self._capsys.readouterr().err
            return words in self.log

        await until(said)
