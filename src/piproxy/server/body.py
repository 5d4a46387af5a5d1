"""The body of a streamed answer, from the exchange's task to the client."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self

import trio
from quart.wrappers.response import ResponseBody

WRITER: Final = "piproxy.writer"
"""In the scope of a request: a :class:`Writer`, where its connection has one."""


class Writer(Protocol):
    """The short way to the client."""

    def write(self, piece: bytes) -> bool:
        """Send one piece: was that all of it? If not, :meth:`flush` sends the rest, and has to be called.

        Raises :class:`trio.WouldBlock`, and takes nothing, where only the long way goes.
        """
        ...

    async def flush(self) -> None: ...


class StreamBody(ResponseBody):
    """Pieces in, in the exchange's task; out in the task that answers, which Quart, Hypercorn and h11 stand behind.

    A piece takes the short way, past all of them and without a change of tasks, when the answering task waits for
    pieces: then everything before has gone out. What the socket does not take at once is that task's to send, because
    such a write must not be cut short, and an exchange may be at any time. A channel without a buffer holds it back
    meanwhile. No generator: one left suspended would hold its scope open in the wrong task (trio issue 638).
    """

    def __init__(self, writer: Writer | None = None) -> None:
        self._writer = writer
        self._into, self._out_of = trio.open_memory_channel[bytes | None](0)
        self._waiting = False

    def send_nowait(self, piece: bytes) -> None:
        """Raises :class:`trio.WouldBlock` when the client is not ready for it."""
        if self._waiting and self._writer is not None:
            try:
                if self._writer.write(piece):
                    return
            except trio.WouldBlock:
                pass
            else:
                self._waiting = False
                self._into.send_nowait(None)  # flush; the task waits, and takes it
                return
        self._waiting = False
        self._into.send_nowait(piece)

    async def send(self, piece: bytes) -> None:
        """Wait until the answering task has taken it; pieces of several tasks keep their order."""
        self._waiting = False
        await self._into.send(piece)

    async def aclose(self) -> None:
        """Nothing more will come."""
        self._into.close()

    def abandon(self) -> None:
        """Nobody will read this body."""
        self._out_of.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out_of.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                try:
                    piece = self._out_of.receive_nowait()  # somebody waits: nothing may overtake that
                except trio.WouldBlock:
                    self._waiting = True
                    piece = await self._out_of.receive()
            except trio.EndOfChannel:
                raise StopAsyncIteration from None
            finally:
                self._waiting = False
            if piece is not None:
                return piece
            assert self._writer is not None  # noqa: S101 - who else would have left something?
            await self._writer.flush()
