"""A provider that is scripted byte by byte: the line between the gateway and it, without a word of HTTP of its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from piproxy.upstream.connections import Origin

WINDOW = 64 * 1024
"""Bytes that either side takes in before the other has to wait, as a socket's buffers do."""


class Way:
    """Bytes in one direction."""

    def __init__(self, window: float = WINDOW) -> None:
        self.window = window
        self.bytes = bytearray()
        self.total = 0
        self.ended = False
        self.broken: OSError | None = None
        self._news = trio.lowlevel.ParkingLot()

    @property
    def readable(self) -> bool:
        return bool(self.bytes) or self.ended or self.broken is not None

    def put(self, data: bytes) -> None:
        self.bytes += data
        self.total += len(data)
        self.tell()

    def end(self, error: OSError | None = None) -> None:
        self.ended = True
        self.broken = error
        self.tell()

    def tell(self) -> None:
        self._news.unpark_all()

    async def news(self) -> None:
        await self._news.park()

    async def send(self, data: bytes) -> None:
        """As much at a time as the window takes."""
        await trio.lowlevel.checkpoint()
        view = memoryview(bytes(data))
        while True:
            if self.broken is not None:
                raise trio.BrokenResourceError from self.broken
            if self.ended:
                raise trio.BrokenResourceError from OSError(errno.EPIPE, os.strerror(errno.EPIPE))
            room = int(min(len(view), max(0, self.window - len(self.bytes))))
            self.put(bytes(view[:room]))
            view = view[room:]
            if not view:
                return
            await self.news()

    async def receive(self, most: int) -> bytes:
        """What has come, ``b""`` at the end."""
        await trio.lowlevel.checkpoint()
        while not self.readable:
            await self.news()
        if self.bytes:
            data = bytes(self.bytes[:most])
            del self.bytes[:most]
            self.tell()
            return data
        if self.broken is not None:
            raise trio.BrokenResourceError from self.broken
        return b""


class Line(trio.abc.HalfCloseableStream):
    """The gateway's end. It passes for a socket stream as far as the pool asks."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.socket = self

    def is_readable(self) -> bool:
        return self._peer.down.readable

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._peer.closed:
            raise trio.ClosedResourceError
        await self._peer.up.send(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        self._peer.up.end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._peer.closed:
            raise trio.ClosedResourceError
        return await self._peer.down.receive(max_bytes or WINDOW)

    async def aclose(self) -> None:
        self._peer.close()
        await trio.lowlevel.checkpoint()


@dataclass
class Peer:
    """The provider's end of one line."""

    origin: Origin
    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    closed: bool = False
    closed_at: float | None = None
    """When the gateway closed, in virtual seconds."""
    heads: list[bytes] = field(default_factory=list)

    def close(self) -> None:
        """The gateway closes."""
        if not self.closed:
            self.closed = True
            self.closed_at = trio.current_time()
            self.up.end()
            self.down.tell()
            self.scope.cancel()

    async def asked(self) -> bool:
        """Wait for the first byte of a request; ``False`` when the gateway closes instead."""
        while not self.up.readable:
            await self.up.news()
        return bool(self.up.bytes)

    async def head(self) -> bytes:
        """The head of a request, up to its blank line; ``b""`` when the gateway closes instead."""
        while (end := self.up.bytes.find(b"\r\n\r\n")) < 0:
            if self.up.ended:
                return b""
            await self.up.news()
        head = bytes(self.up.bytes[: end + 4])
        del self.up.bytes[: end + 4]
        self.up.tell()
        self.heads.append(head)
        return head

    async def request(self) -> tuple[bytes, bytes] | None:
        """Head and body; ``None`` when the gateway closes instead."""
        head = await self.head()
        if not head:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        body = b""
        while len(body) < length:
            more = await self.up.receive(length - len(body))
            if not more:
                return None
            body += more
        return head, body

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self.down.send(piece)

    def end(self) -> None:
        """The provider closes its side."""
        self.down.end()

    def reset(self) -> None:
        """The provider's machine forgets the connection."""
        error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self.down.end(error)
        self.up.end(error)


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Lines:
    """Give its :meth:`connect` to ``Http`` or ``Pool``; ``script`` plays each connection until it is closed."""

    nursery: trio.Nursery
    script: Script
    peers: list[Peer] = field(default_factory=list)

    async def connect(self, origin: Origin) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        peer = Peer(origin)
        self.peers.append(peer)
        self.nursery.start_soon(self._play, peer)
        return Line(peer)

    @property
    def open(self) -> int:
        """Connections that the gateway has not closed."""
        return sum(not peer.closed for peer in self.peers)

    async def _play(self, peer: Peer) -> None:
        with peer.scope:
            try:
                await self.script(peer)
            except trio.BrokenResourceError:
                return
