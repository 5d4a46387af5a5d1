"""Stands between a client and piproxy and writes down every byte with its time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from conformance.blocks import CLOSED, GOT, SENT, Block

READ_SIZE = 65536


class Tap:
    """One tap for one case; ``sent`` is the client's side, ``got`` the server's."""

    def __init__(self, port: int, clock: Callable[[], float], began: Path) -> None:
        """``port``: where the server listens on 127.0.0.1. ``began`` is made when a stream has its first words.

        Drivers of programs that show nothing until the end look for it to know when to break off.
        """
        self.sent: list[Block] = []
        self.got: list[Block] = []
        self._port = port
        self._began = began
        self._clock = clock
        self._connections = 0

    async def serve(self, client: trio.SocketStream) -> None:
        """One connection of the client's, until the server ends it, or the client takes no more."""
        self._connections += 1
        number = self._connections
        server = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._ask, number, client, server)
            await self._answer(number, client, server)
            nursery.cancel_scope.cancel()

    async def _ask(self, number: int, client: trio.SocketStream, server: trio.SocketStream) -> None:
        """A client that sends no more may have gone or not: the server is told just that."""
        with suppress(trio.BrokenResourceError):
            while data := bytes(await client.receive_some(READ_SIZE)):
                self.sent.append(Block(SENT, number, self._clock(), data))
                try:
                    await server.send_all(data)
                except trio.BrokenResourceError:
                    return
        self.sent.append(Block(CLOSED, number, self._clock()))
        with suppress(trio.BrokenResourceError):
            await server.send_eof()

    async def _answer(self, number: int, client: trio.SocketStream, server: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            while data := bytes(await server.receive_some(READ_SIZE)):
                self.got.append(Block(GOT, number, self._clock(), data))
                if b'"content":"word1 ' in data:
                    self._began.touch()
                await client.send_all(data)
        if not any(block.word == CLOSED and block.number == number for block in self.sent):
            self.got.append(Block(CLOSED, number, self._clock()))
