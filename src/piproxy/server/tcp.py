"""One client's connection: Hypercorn's reading and writing, with our HTTP/1.1 and HTTP/2 on top.

A client that is still sending when it is answered (413, 401) would lose the answer if the connection were closed at
once: what it sends then comes back as a reset (RFC 9112, 9.6). The rest of its body is read and thrown away first.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Any, Final, cast

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, ConnectionState, Scope
from hypercorn.utils import parse_socket_addr

from piproxy.exchange import Ending
from piproxy.server.http1 import Gone, Http1
from piproxy.server.http2 import Http2
from piproxy.server.inbox import INBOX, Inbox

LARGE_RECV: Final = 256 * 1024
"""Bytes that are read at once where there are many: each piece costs its way through HTTP and the tasks."""
LINGER: Final = 30.0
"""Seconds that a client gets to finish, or give up, the body of a request that is answered already."""
MAX_UNREAD: Final = 128 * 1024 * 1024
"""Bytes of such a body."""


class Context(WorkerContext):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__(None)
        self.idle: set[Idle] = set()
        self._headers: list[tuple[bytes, bytes]] = []
        self._made = 0

    def headers(self, config: Config) -> list[tuple[bytes, bytes]]:
        """What Hypercorn adds to every HTTP/1.1 answer: the date, which is the same for a second."""
        now = int(time.time())
        if now != self._made:
            self._headers, self._made = config.response_headers("h11"), now
        return self._headers

    def close_idle(self) -> None:
        """The server stops: connections without a request are closed."""
        for one in tuple(self.idle):
            one.scope.cancel()


class Idle:
    """Hypercorn's idle timer as a deadline of the task that reads; a task for each pause costs 0.2 ms."""

    def __init__(self, context: Context, seconds: float) -> None:
        self.scope = trio.CancelScope()
        self._context = context
        self._seconds = seconds

    async def restart(self, *_: Any, seconds: float | None = None) -> None:
        self._context.idle.add(self)
        self.scope.deadline = trio.current_time() + (self._seconds if seconds is None else seconds)
        if self._context.terminated.is_set():
            self.scope.cancel()

    async def stop(self) -> None:
        self._context.idle.discard(self)
        self.scope.deadline = inf


class ClientConnection(TCPServer):
    """``await`` it to serve one connection. ``stall``: seconds that an HTTP/2 stream may wait for its client."""

    def __init__(self, app: ASGIWrapper, config: Config, context: Context, stream: Any, *, stall: float) -> None:
        super().__init__(app, config, context, {}, stream)
        self._stall = stall
        self._send_now: Callable[[bytes], int] | None = getattr(stream, "send_now", None)
        self._idle = Idle(context, config.keep_alive_timeout)
        self.idle_task: Any = self._idle
        self._http: _Protocols | None = None
        self._lingering = False
        self._sending = 0
        """Who waits for the client to take something, or for such a one."""

    async def run(self) -> None:
        secured = hasattr(self.stream, "do_handshake")
        try:
            if secured:
                with trio.fail_after(self.config.ssl_handshake_timeout):
                    await self.stream.do_handshake()
            await self._serve(secured=secured)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError):
            pass  # gone, or no TLS: nobody is there to be told
        finally:
            await self._idle.stop()
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """As Hypercorn does, but without a wait where the client takes everything at once, as nearly always."""
        kind = type(event)
        if kind is RawData:
            data = cast(RawData, event).data
            sent = self._write(data)
            if sent < len(data):
                # What has begun is sent whole, and so is every frame of HTTP/2: the headers of an answer that nobody
                # waits for any more change the table (HPACK) by which the client reads all the others.
                whole = sent > 0 or (self._http is not None and self._http.shared)
                self._sending += 1
                try:
                    with trio.CancelScope(shield=whole):
                        await super().protocol_send(RawData(data[sent:]))
                finally:
                    self._sending -= 1
        elif kind is Updated:
            await (self._idle.restart() if cast(Updated, event).idle else self._idle.stop())
        elif self._http is not None and self._http.sending:
            await self._linger()
        else:
            await super().protocol_send(event)

    def _write(self, data: bytes) -> int:
        """Send what can be sent without waiting, if nobody else is sending; the number of bytes."""
        return 0 if self._send_now is None or self._sending else self._send_now(data)

    async def _serve(self, *, secured: bool) -> None:
        socket = self.stream.transport_stream.socket if secured else self.stream.socket
        client = self.stream.transport_stream if secured else self.stream
        async with _Tasks(lambda: getattr(client, "cut", None)) as tasks:
            self._task_group = tasks
            parts = (
                self.app,
                self.config,
                self.context,
                tasks,
                ConnectionState(self.state),
                secured,
                parse_socket_addr(socket.family, socket.getpeername()),
                parse_socket_addr(socket.family, socket.getsockname()),
                self.protocol_send,
            )
            write = None if self._send_now is None else self._write
            protocol: Any = _Protocols(parts, self.stream, write, self._stall)
            if secured and self.stream.selected_alpn_protocol() == "h2":
                await protocol.upgrade()
            self.protocol = self._http = protocol
            await self.idle_task.restart(tasks, self._idle_timeout)
            with self._idle.scope:
                await self._read_data()
            if self._idle.scope.cancelled_caught:
                await protocol.goodbye()
                await self.protocol.handle(Closed())
                await self.stream.aclose()

    async def _linger(self) -> None:
        """Say that nothing more will come, and let :meth:`_read_data` wait for the client to close."""
        self._lingering = True
        await self._idle.restart(seconds=LINGER)
        with suppress(AttributeError, trio.BrokenResourceError, trio.BusyResourceError, trio.ClosedResourceError):
            await self.stream.send_eof()  # TLS has no such thing
        await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        unread, size = 0, MAX_RECV
        try:
            while data := await self.stream.receive_some(size):
                size = LARGE_RECV if len(data) == size else MAX_RECV
                if not self._lingering:
                    await self.protocol.handle(RawData(bytes(data)))
                elif (unread := unread + len(data)) > MAX_UNREAD:
                    break
            if not self._lingering:
                await self.protocol.handle(RawData(b""))
        except (trio.ClosedResourceError, trio.BrokenResourceError, Gone):
            pass
        await self.protocol.handle(Closed())


class _Tasks(TaskGroup):
    """Hypercorn's, with an :class:`~piproxy.server.inbox.Inbox` in place of a memory channel."""

    def __init__(self, cut: Callable[[], Ending | None]) -> None:
        super().__init__()
        self._cut = cut

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        inbox = Inbox(config.max_app_queue_size, self._cut)
        cast(Any, scope)["extensions"][INBOX] = inbox

        async def run() -> None:
            try:
                await _handle(app, config, scope, inbox.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
            finally:
                inbox.close()

        self.spawn(run)
        return inbox.put


class _Protocols:
    """HTTP/1.1 until the client asks for HTTP/2."""

    def __init__(self, parts: tuple[Any, ...], stream: Any, write: Callable[[bytes], int] | None, stall: float) -> None:
        self._parts = parts
        self._stall = stall
        self._now: Http1 | Http2 = Http1(*parts, stream=stream, write=write)

    @property
    def sending(self) -> bool:
        """Is the client in the middle of a request that has its answer?"""
        return isinstance(self._now, Http1) and self._now.connection.their_state in (h11.SEND_BODY, h11.ERROR)

    @property
    def shared(self) -> bool:
        """Do several requests share what is sent?"""
        return isinstance(self._now, Http2)

    async def goodbye(self) -> None:
        """The connection was idle, and will be closed."""
        if isinstance(self._now, Http2):
            await self._now.goodbye()

    async def upgrade(self, *request: Any) -> None:
        self._now = Http2(*self._parts, stall=self._stall)
        await self._now.initiate(*request)

    async def handle(self, event: Event) -> None:
        try:
            await self._now.handle(event)
        except H2ProtocolAssumedError as preface:
            await self.upgrade()
            await self._now.handle(RawData(preface.data))
        except H2CProtocolRequiredError as upgrade:
            await self.upgrade(upgrade.headers, upgrade.settings)
            if upgrade.data:
                await self._now.handle(RawData(upgrade.data))
