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
        """One connection of the client's."""
        self._connections += 1
        number = self._connections
        server = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, number, client, server, self.sent, SENT, nursery.cancel_scope)
            nursery.start_soon(self._pump, number, server, client, self.got, GOT, nursery.cancel_scope)

    async def _pump(
        self,
        number: int,
        source: trio.SocketStream,
        target: trio.SocketStream,
        log: list[Block],
        word: str,
        scope: trio.CancelScope,
    ) -> None:
        """Until one side closes: then both are closed."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := bytes(await source.receive_some(READ_SIZE)):
                log.append(Block(word, number, self._clock(), data))
                if word == GOT and b'"content":"word1 ' in data:
                    self._began.touch()
                try:
                    await target.send_all(data)
                except trio.BrokenResourceError:
                    return
        log.append(Block(CLOSED, number, self._clock()))
        scope.cancel()
