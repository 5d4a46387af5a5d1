"""How many requests may be at providers at once: a limit, and a queue that is bounded and fair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final

import trio

from piproxy.errors import Overloaded

RETRY_AFTER: Final = 1
"""Seconds that a refused client is asked to wait; nobody knows how long answers take, and the SDKs double it."""


class Places:
    """First come, first served. Whoever is cancelled while waiting, or in its place, frees it at once."""

    def __init__(self, limit: int = 0, queue: int = 0) -> None:
        """``limit`` requests at once (0: no limit), ``queue`` more may wait."""
        self._limiter = trio.CapacityLimiter(inf)
        self._waiting = 0
        self.resize(limit, queue)

    def resize(self, limit: int, queue: int) -> None:
        """Whoever already waits or has a place keeps it."""
        self._limiter.total_tokens = limit or inf
        self._queue = queue

    @property
    def taken(self) -> int:
        return self._limiter.borrowed_tokens

    @property
    def waiting(self) -> int:
        return self._waiting

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and have it. Raises :class:`~piproxy.errors.Overloaded` if too many wait already."""
        if self._limiter.available_tokens <= 0:
            await self._wait()
        else:
            self._limiter.acquire_nowait()
        try:
            yield
        finally:
            self._limiter.release()

    async def _wait(self) -> None:
        if self._waiting >= self._queue:
            raise Overloaded(
                f"{self.taken} requests are running and {self._waiting} are waiting, which is as many as this proxy "
                "takes (settings maxConcurrency and maxQueue). Ask again in a moment.",
                headers={"retry-after": str(RETRY_AFTER)},
            )
        self._waiting += 1
        try:
            await self._limiter.acquire()
        finally:
            self._waiting -= 1
