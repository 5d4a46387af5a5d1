"""Hypercorn's protocols on listeners of our own: accept, drain, stop.

Hypercorn's own ``serve`` cuts streams at its timer without a word and waits for ever for a client that does not read.
Its protocols run in :mod:`piproxy.server.tcp`; the order of a shutdown is ours:

1. stop accepting, close idle connections, let running requests finish for ``drain()`` seconds;
2. ``cut()``: the app ends what still runs, with an error frame; ``FLUSH`` seconds for those to leave;
3. abort the sockets that are left.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config

from piproxy.exchange import Ending
from piproxy.server.sockets import ClientListener, ClientStream
from piproxy.server.tcp import ClientConnection, Context

FLUSH: Final = 2.0
"""Seconds for the last frames of a shutdown."""
ROOM: Final = 16
"""Idle connections that are closed at a time when there are no file descriptors left."""
REST: Final = 1.0
"""Seconds that they have been idle at least: a new one may have sent a request that has not been read yet."""
REMIND: Final = 60.0
"""Seconds before the log tells again that there are none."""


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
    config.errorlog = logging.getLogger("piproxy.hypercorn")
    config.alpn_protocols = ["h2", "http/1.1"]
    return config


class Server:
    """One app on some listeners.

    ``failed`` is told of what should not happen on a connection; that connection is closed, the others go on. ``full``
    is told that clients have to wait for a file descriptor. ``stall``
    is for HTTP/2 streams (sockets have their own, :class:`~piproxy.server.sockets.ClientListener`).
    """

    def __init__(
        self,
        app: Any,
        listeners: Sequence[ClientListener],
        *,
        config: Config,
        drain: Callable[[], float],
        cut: Callable[[], None],
        failed: Callable[[BaseException], None],
        full: Callable[[], None] = lambda: None,
        stall: float = inf,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.done = trio.Event()
        self._app = ASGIWrapper(app)
        self._listeners = listeners
        self._config = config
        self._drain = drain
        self._cut = cut
        self._failed = failed
        self._full = full
        self._remind = -inf
        self._stall = stall
        self._tls = tls
        self._stop = trio.Event()
        self._context = Context()
        self._clients = Clients()
        for listener in listeners:
            listener.full = self._make_room

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin to stop; :attr:`done` is set when nothing is left."""
        self._stop.set()

    def kill(self) -> None:
        """Abort every connection now. Whoever calls cancels :meth:`run` as well."""
        self._stop.set()
        self._clients.abort()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until :meth:`stop`, then drain as told in the module's plan."""
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                for listener in self._listeners:
                    accepting.start_soon(self._accept, listener, connections)
                task_status.started()
                await self._stop.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            self._context.close_idle()
            await self._clients.gone(self._drain())
            if self._clients:
                self._cut()
                await self._clients.gone(FLUSH)
            self._clients.abort()
            connections.cancel_scope.cancel()
        self.done.set()

    def _make_room(self) -> None:
        """Who has been idle for longest leaves for whoever wants something."""
        now = trio.current_time()
        end = now + self._config.keep_alive_timeout - REST
        oldest = sorted(self._context.idle, key=lambda one: one.scope.deadline)
        for idle in (one for one in oldest[:ROOM] if one.scope.deadline <= end):
            idle.scope.cancel()
        if now >= self._remind:
            self._remind = now + REMIND
            self._full()

    async def _accept(self, listener: ClientListener, connections: trio.Nursery) -> None:
        secured: Any = listener if self._tls is None else trio.SSLListener(listener, self._tls, https_compatible=True)
        async with listener:
            await trio.serve_listeners(self._handle, [secured], handler_nursery=connections)

    async def _handle(self, stream: Any) -> None:
        client: ClientStream = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self._clients.add(client)
        try:
            await ClientConnection(self._app, self._config, self._context, stream, stall=self._stall)
        except* Exception as unforeseen:  # noqa: BLE001  (told to the log, and no reason to stop serving others)
            self._failed(unforeseen)
        finally:
            self._clients.discard(client)
            client.close()


class Clients:
    """The connections that are open."""

    def __init__(self) -> None:
        self._open: set[ClientStream] = set()
        self._empty = trio.Event()

    def __bool__(self) -> bool:
        return bool(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, client: ClientStream) -> None:
        self._open.add(client)

    def discard(self, client: ClientStream) -> None:
        self._open.discard(client)
        if not self._open:
            self._empty.set()
            self._empty = trio.Event()

    def abort(self) -> None:
        for client in self._open:
            client.abort(Ending.SHUTDOWN)

    async def gone(self, seconds: float) -> None:
        """Wait until nobody is left, ``seconds`` at most."""
        if self._open:
            with trio.move_on_after(seconds):
                await self._empty.wait()
