"""Hypercorn's protocols on listeners of our own: accept, drain, stop.

Hypercorn's own ``serve`` cuts streams at its timer without a word and waits for ever for a client that does not read.
The parts used here (``TCPServer``, ``Config``, ``WorkerContext``) are its own; the order of a shutdown is ours:

1. stop accepting, close idle connections, let running requests finish for ``drain`` seconds;
2. ``cut()``: the app ends what still runs, with an error frame; ``FLUSH`` seconds for those to leave;
3. abort the sockets that are left.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

from piproxy.server.sockets import ClientListener, ClientStream

FLUSH: Final = 2.0
"""Seconds for the last frames of a shutdown."""


def protocol_config(*, idle_connection: float, ssl_handshake: float = 10.0) -> Config:
    """Hypercorn's settings: limits known, nothing announced, no log of its own."""
    config = Config()
    config.keep_alive_timeout = idle_connection
    config.ssl_handshake_timeout = ssl_handshake
    config.h11_max_incomplete_size = 64 * 1024
    config.h2_max_concurrent_streams = 1000
    config.keep_alive_max_requests = 1_000_000
    config.include_server_header = False
    config.accesslog = None
    config.alpn_protocols = ["h2", "http/1.1"]
    return config


async def serve(
    app: Any,
    listeners: Sequence[ClientListener],
    *,
    config: Config,
    stop: trio.Event,
    drain: Callable[[], float],
    cut: Callable[[], None],
    tls: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set, then drain as told in the module's plan."""
    context = WorkerContext(None)
    wrapped = ASGIWrapper(app)
    clients = _Clients()

    async def handle(stream: Any) -> None:
        client: ClientStream = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        clients.add(client)
        try:
            await TCPServer(wrapped, config, context, {}, stream)
        finally:
            clients.discard(client)
            client.socket.close()

    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            for listener in listeners:
                secured: Any = listener if tls is None else trio.SSLListener(listener, tls, https_compatible=True)
                accepting.start_soon(_accept, handle, secured, connections)
            task_status.started()
            await stop.wait()
            accepting.cancel_scope.cancel()
        await context.terminated.set()
        await clients.gone(drain())
        if clients:
            cut()
            await clients.gone(FLUSH)
        clients.abort()
        connections.cancel_scope.cancel()


async def _accept(handle: Callable[[Any], Any], listener: Any, connections: trio.Nursery) -> None:
    await trio.serve_listeners(handle, [listener], handler_nursery=connections)


class _Clients:
    """The connections that are open."""

    def __init__(self) -> None:
        self._open: set[ClientStream] = set()
        self._changed = trio.Event()

    def __bool__(self) -> bool:
        return bool(self._open)

    def add(self, client: ClientStream) -> None:
        self._open.add(client)

    def discard(self, client: ClientStream) -> None:
        self._open.discard(client)
        if not self._open:
            self._changed.set()
            self._changed = trio.Event()

    def abort(self) -> None:
        for client in self._open:
            client.abort()

    async def gone(self, seconds: float) -> None:
        """Wait until nobody is left, ``seconds`` at most."""
        if self._open:
            with trio.move_on_after(seconds):
                await self._changed.wait()
