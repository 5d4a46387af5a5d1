"""An answer on its way to the client: in one piece, or frame by frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final, Protocol

import trio

from piproxy.errors import PiproxyError, UpstreamBroken
from piproxy.events import Event, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta, Usage
from piproxy.exchange.deadlines import Limits

MAX_WHOLE: Final = 64 * 1024 * 1024
"""Characters that an answer in one piece may have: a provider that never ends must not fill the memory."""


class Encoder(Protocol):
    """A dialect's way to write events for the client."""

    @property
    def usage(self) -> Usage | None: ...

    def feed(self, events: Sequence[Event], /) -> bytes: ...


class StreamingEncoder(Encoder, Protocol):
    """One that can also say, in the middle of a stream, that something went wrong or that we are still there."""

    def fail(self, error: PiproxyError, /) -> bytes: ...

    def keep_alive(self) -> bytes: ...


class Sink(Protocol):
    """Takes an answer's frames to the client; a memory channel does."""

    def send_nowait(self, value: bytes, /) -> None:
        """Raises :class:`trio.WouldBlock` when the client is not ready."""
        ...

    async def send(self, value: bytes, /) -> None: ...

    async def aclose(self) -> None: ...


class Whole:
    """An answer in one piece."""

    def __init__(self, fold: Encoder) -> None:
        self._fold = fold
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    def deliver(self, events: Sequence[Event]) -> None:
        """Raises :class:`UpstreamBroken` when it becomes too much."""
        self._size += sum(map(_size, events))
        if self._size > MAX_WHOLE:
            raise UpstreamBroken(f"The provider's answer has more than {MAX_WHOLE} characters.")
        self._pieces.append(self._fold.feed(events))


class Streamed:
    """An answer frame by frame, with signs of life while the provider has nothing to say."""

    def __init__(self, encoder: StreamingEncoder, out: Sink, started: Callable[[], None]) -> None:
        """``started`` is called once, when the answer begins."""
        self.began = False
        self._encoder = encoder
        self._out = out
        self._started = started
        self._now = trio.lowlevel.current_clock().current_time  # without trio's wrappers: it is asked for each piece
        self._sent_at = self._now()

    def deliver(self, events: Sequence[Event]) -> Awaitable[None] | None:
        """Send the events' frames; what is returned, if anything, is the waiting for a client that is not ready."""
        if not self.began:
            self._begin()
        if frames := self._encoder.feed(events):
            try:
                self._out.send_nowait(frames)
            except trio.WouldBlock:
                return self._send(frames)
            self._sent_at = self._now()
        return None

    async def live(self, limits: Limits) -> None:
        """Begin the answer when the provider thinks for long, then tell the client from time to time that we live."""
        every = limits.keep_alive or inf
        look = self._sent_at
        latest = look + limits.hold
        while not self.began:  # a comment is due that long after the beginning, whenever that was
            look = min(look + every, latest)
            await trio.sleep_until(look)
            if look == latest and not self.began:
                self._begin()
        while every < inf:
            await trio.sleep_until(self._sent_at + every)
            if trio.current_time() >= self._sent_at + every:
                await self._send(self._encoder.keep_alive())

    def _begin(self) -> None:
        self.began = True
        self._started()

    async def _send(self, frames: bytes) -> None:
        await self._out.send(frames)
        self._sent_at = trio.current_time()


def _size(event: Event) -> int:
    """Characters, roughly: what is not text is small."""
    match event:
        case TextDelta(text) | ReasoningDelta(text) | RefusalDelta(text):
            return len(text)
        case ToolCallDelta(_, arguments):
            return len(arguments)
    return 100
