"""What one client sends, on its way to the app."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio
from hypercorn.typing import ASGIReceiveEvent

from piproxy.exchange import Ending

INBOX = "piproxy.inbox"
"""Where an app finds its :class:`Inbox`: among the extensions of the ASGI scope."""


class Inbox:
    """ASGI's ``receive``, for whoever waits; an app that can listen gets its messages at once, without a task for that.

    An app that is gone takes nothing any more, and nobody waits for it: what a client sends behind an early answer
    (413, 401) is thrown away.
    """

    def __init__(self, size: int, cut: Callable[[], Ending | None] = lambda: None) -> None:
        """``cut`` tells, after a disconnect, how the client's connection ended if it was not the client who left."""
        self.cut = cut
        self._size = size
        self._messages: deque[ASGIReceiveEvent] = deque()
        self._listener: Callable[[ASGIReceiveEvent], None] | None = None
        self._closed = False
        self._waiting = trio.lowlevel.ParkingLot()

    async def put(self, message: ASGIReceiveEvent) -> None:
        """Waits while nobody listens and ``size`` messages are there."""
        while not self._closed:
            if self._listener is not None:
                self._listener(message)
                return
            if len(self._messages) < self._size:
                self._messages.append(message)
                self._wake()
                return
            await self._waiting.park()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message."""
        while not self._messages:
            await self._waiting.park()
        self._wake()
        return self._messages.popleft()

    def listen(self, listener: Callable[[ASGIReceiveEvent], None]) -> None:
        """Call ``listener`` with every message from now on, and with those that are there."""
        self._listener = listener
        while self._messages:
            listener(self._messages.popleft())
        self._wake()

    def close(self) -> None:
        """The app has ended."""
        self._closed = True
        self._messages.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._waiting.unpark_all()
