"""A TCP stream that asks the kernel no more than it must.

trio's own socket stream reads before it waits, which fails nearly always while a provider thinks about its next token,
and goes through the run loop twice for every write that could be done at once. A streamed event is one read and one
write, so this is a good part of what a proxy spends on it.
"""

from __future__ import annotations

import os
from typing import Final

import trio

READ_SIZE: Final = 65536
_POSIX: Final = os.name == "posix"
"""Elsewhere a socket is no file, and trio's own way is taken."""


class TcpStream(trio.abc.HalfCloseableStream):
    """A :class:`trio.SocketStream` for one reader and one writer who know of each other.

    Whoever closes it does so by :meth:`aclose` or :meth:`close`, never by its socket's own: the number of a closed
    socket may be another's in the next moment.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.socket = stream.socket
        self._number = stream.socket.fileno()
        self._stream = stream
        self._more = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Waits first, unless the last read was a full one."""
        size = max_bytes or READ_SIZE
        if self._more or not _POSIX:
            data = await self._stream.receive_some(size)
        else:
            if self._number < 0:
                raise trio.ClosedResourceError("this socket was closed")
            await trio.lowlevel.wait_readable(self._number)
            try:
                data = os.read(self._number, size)
            except OSError:  # woken for nothing, or broken: trio knows what to say
                data = await self._stream.receive_some(size)
        self._more = len(data) == size
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        sent = self.send_now(data)
        if sent < len(data):
            with memoryview(data) as view:
                await self._stream.send_all(view[sent:])

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Bytes that the kernel took at once; what is wrong is left for the next :meth:`send_all` to find."""
        if not _POSIX:
            return 0
        try:
            return os.write(self._number, data)
        except OSError:
            return 0

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        self._number = -1
        await self._stream.aclose()

    def close(self) -> None:
        """Now, without a checkpoint."""
        self._number = -1
        self.socket.close()
