"""Client sockets that notice a client who has stopped reading.

Hypercorn writes inside a shielded scope without a limit: a client that reads nothing would hold its connection, and a
shutdown, for ever. So the watch sits below Hypercorn, where the bytes leave: no progress for ``stall`` seconds, and the
socket is aborted; Hypercorn sees a broken connection and cancels the request, which closes the provider's stream.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio

from piproxy.exchange import Ending
from piproxy.upstream.sockets import TcpStream

PAUSE: Final = 0.1
"""Seconds before a client is accepted again when there was no file descriptor."""
_LINGER_OFF: Final = struct.pack("ii", 1, 0)


class ClientStream(trio.abc.HalfCloseableStream):
    """A connected client."""

    def __init__(self, stream: trio.SocketStream, stall: float) -> None:
        self.socket = stream.socket
        self.cut: Ending | None = None
        """Why we have closed it under a client that was there."""
        self._stream = TcpStream(stream)
        self._stall = stall
        self.send_now: Callable[[bytes | bytearray | memoryview], int] = self._stream.send_now
        """Bytes that can be sent without waiting, and are; :meth:`send_all` finds out about anything else."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Raises :class:`trio.BrokenResourceError` if the client took nothing for ``stall`` seconds."""
        sent = self.send_now(data)
        if sent == len(data):
            return
        with trio.move_on_after(self._stall) as scope, memoryview(data) as view:
            try:
                while sent < len(view):
                    sent += await self.socket.send(view[sent:])
                    scope.deadline = trio.current_time() + self._stall
            except OSError as exc:
                if self.socket.fileno() < 0:
                    raise trio.ClosedResourceError("this socket was closed") from exc
                raise trio.BrokenResourceError(f"the client is gone: {exc}") from exc
        if scope.cancelled_caught:
            self.abort(Ending.DEADLINE)
            raise trio.BrokenResourceError("the client has stopped reading")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self, why: Ending) -> None:
        """Close at once and throw away what the client did not take (RST)."""
        self.cut = why
        with suppress(OSError):
            if self.socket.family in (stdlib_socket.AF_INET, stdlib_socket.AF_INET6):
                self.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, _LINGER_OFF)
        self.close()

    def close(self) -> None:
        """Now, without a checkpoint."""
        self._stream.close()


class ClientListener(trio.abc.Listener[ClientStream]):
    """A listening socket whose clients are watched, and known, so that they can all be closed.

    ``full`` is called when there is no file descriptor for the next client, who waits for one.
    """

    def __init__(self, sock: trio.socket.SocketType, *, stall: float) -> None:
        self._listener = trio.SocketListener(sock)
        self._stall = stall
        self.socket = sock
        self.full: Callable[[], None] = lambda: None

    async def accept(self) -> ClientStream:
        while True:
            try:
                return ClientStream(await self._listener.accept(), self._stall)
            except OSError as exc:
                if exc.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
            self.full()
            await trio.sleep(PAUSE)

    async def aclose(self) -> None:
        await self._listener.aclose()
