"""One client's connection: Hypercorn's reading and writing, with our HTTP/1.1 and HTTP/2 on top.

HTTP/1.1 clients may pipeline. Hypercorn reads nothing while a request runs and more bytes are there, so that it does
not see the client go (measured, Hypercorn 0.18): the provider would be paid for an answer that nobody reads. Here
the connection is watched meanwhile, and what comes is kept, up to ``MAX_PIPELINED`` bytes; beyond that only the next
write tells that a client has gone.

A client that is still sending when it is answered (413, 401) would lose the answer if the connection were closed at
once: what it sends then comes back as a reset (RFC 9112, 9.6). The rest of its body is read and thrown away first.

A client that closes its sending side (``shutdown(SHUT_WR)``, ``nc -N``) counts as gone: over TCP it looks the same as
one that has closed, and waiting would mean paying for the ones that have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Any, Final, cast

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Response
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, ConnectionState, Scope
from hypercorn.utils import parse_socket_addr

from piproxy.server.body import WRITER
from piproxy.server.connection import LEAVE
from piproxy.server.http2 import Http2

LARGE_RECV: Final = 256 * 1024
"""Bytes that are read at once where there are many: each piece costs its way through HTTP and the tasks."""
MAX_PIPELINED: Final = 256 * 1024
"""Bytes that a client may send ahead while its request runs."""
LINGER: Final = 30.0
"""Seconds that a client gets to finish, or give up, the body of a request that is answered already."""
MAX_UNREAD: Final = 128 * 1024 * 1024
"""Bytes of such a body."""


class _Gone(Exception):
    """The client left while its request was running."""


class Context(WorkerContext):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__(None)
        self.idle: set[Idle] = set()

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
        self._send_now: Callable[[bytes], int] = getattr(stream, "send_now", lambda _: 0)
        self._idle = Idle(context, config.keep_alive_timeout)
        self.idle_task: Any = self._idle
        self._http: _Protocols | None = None
        self._lingering = False
        self._unsent = b""

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
        if isinstance(event, Closed) and self._http is not None and self._http.sending:
            await self._linger()
        elif not isinstance(event, RawData):
            await super().protocol_send(event)
        elif event.data:
            try:
                self.send_lock.acquire_nowait()
            except trio.WouldBlock:
                await super().protocol_send(event)
            else:
                await self._send_first(event.data)

    def write_now(self, data: bytes) -> bool:
        """Send without waiting: was that all of it? The rest is the next to be sent, by :meth:`flush`.

        Raises :class:`trio.WouldBlock`, and takes nothing, while something else is being sent.
        """
        if self._unsent or self.send_lock.locked():
            raise trio.WouldBlock
        self._unsent = data[self._send_now(data) :]
        return not self._unsent

    async def flush(self) -> None:
        """Send what :meth:`write_now` left."""
        await self.send_lock.acquire()
        await self._send_first(b"")

    async def _send_first(self, data: bytes) -> None:
        """Send; the lock is ours."""
        data, self._unsent = self._unsent + data, b""
        try:
            sent = self._send_now(data)
            if sent < len(data):
                with trio.CancelScope(shield=True):
                    await self.stream.send_all(data[sent:])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            gone = True
        else:
            gone = False
        finally:
            self.send_lock.release()
        if gone:
            await self.protocol.handle(Closed())

    async def _serve(self, *, secured: bool) -> None:
        socket = self.stream.transport_stream.socket if secured else self.stream.socket
        tasks = _Tasks()
        async with tasks:
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
            protocol: Any = _Protocols(parts, self.stream, self._stall)
            if hasattr(self.stream, "send_now"):
                tasks.writer = BodyWriter(self, protocol)
            if secured and self.stream.selected_alpn_protocol() == "h2":
                await protocol.upgrade()
            self.protocol = self._http = protocol
            await self.idle_task.restart(tasks, self._idle_timeout)
            with self._idle.scope:
                await self._read_data()
            if self._idle.scope.cancelled_caught:
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
        except (trio.ClosedResourceError, trio.BrokenResourceError, _Gone):
            pass
        await self.protocol.handle(Closed())


class _Tasks(TaskGroup):
    """Hypercorn's, but for clients that leave, and for bodies that nobody reads any more.

    What a client sends goes to the app through a bounded channel. An app that has answered early (413, 401) is gone,
    and the next piece would wait for it for ever, and with it the whole connection.
    """

    writer: BodyWriter | None = None

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        to_app, from_client = trio.open_memory_channel[ASGIReceiveEvent](config.max_app_queue_size)
        if self.writer is not None:
            cast(dict[str, Any], scope)[WRITER] = self.writer

        async def run() -> None:
            with from_client:
                await _handle(
                    app, config, scope, from_client.receive, send, trio.to_thread.run_sync, trio.from_thread.run
                )

        async def put(event: ASGIReceiveEvent) -> None:
            if event["type"] == "http.disconnect" and (leave := cast(dict[str, Any], scope).get(LEAVE)):
                leave()
            with suppress(trio.BrokenResourceError):
                await to_app.send(event)

        self.spawn(run)
        return put


class _Protocols:
    """HTTP/1.1 until the client asks for HTTP/2."""

    def __init__(self, parts: tuple[Any, ...], stream: Any, stall: float) -> None:
        self._parts = parts
        self._stall = stall
        self._now: Http1 | Http2 = Http1(*parts, stream=stream)

    @property
    def in_chunks(self) -> bool:
        """Is an answer on its way whose body goes out in chunks of HTTP/1.1?"""
        return isinstance(self._now, Http1) and self._now.in_chunks

    @property
    def sending(self) -> bool:
        """Is the client in the middle of a request that has its answer?"""
        return isinstance(self._now, Http1) and self._now.connection.their_state in (h11.SEND_BODY, h11.ERROR)

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


class Http1(H11Protocol):
    """One HTTP/1.1 connection."""

    def __init__(self, *args: Any, stream: Any) -> None:
        super().__init__(*args)
        self.can_read = _Watch(self, stream)
        self._send = self.send
        self.send = self._joined
        self._held = b""
        self._holding = False
        self._sized = False

    @property
    def in_chunks(self) -> bool:
        """The head of an answer without a length is out, and more of its body may come."""
        http = self.connection
        return http.our_state is h11.SEND_BODY and http.their_http_version == b"1.1" and not self._sized

    async def stream_send(self, event: StreamEvent) -> None:
        # A head that announces a length has its body right behind it: both leave in one piece.
        if isinstance(event, Response):
            self._holding = self._sized = any(name == b"content-length" for name, _ in event.headers)
            if self.connection.their_state is h11.SEND_BODY:
                event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        else:
            self._holding = False
        await super().stream_send(event)

    async def _joined(self, event: Event) -> None:
        if self._holding and isinstance(event, RawData):
            self._held += event.data
            self._holding = False
        elif not self._held:
            await self._send(event)
        else:
            held, self._held = self._held, b""
            if isinstance(event, RawData):
                await self._send(RawData(held + event.data))
            else:
                await self._send(RawData(held))
                await self._send(event)


class BodyWriter:
    """Pieces of a streamed body, straight to the socket.

    On its way through Quart, Hypercorn and h11 a token costs as much as reading and translating it did. A chunk changes
    nothing of h11's state, so that a body may go both ways, one piece this and the next that.
    """

    def __init__(self, connection: ClientConnection, http: _Protocols) -> None:
        self._connection = connection
        self._http = http

    def write(self, piece: bytes) -> bool:
        """Send one chunk: was that all of it? If not, :meth:`flush` sends the rest, and has to be called.

        Raises :class:`trio.WouldBlock`, and takes nothing, where only the long way goes.
        """
        if not self._http.in_chunks:
            raise trio.WouldBlock
        return self._connection.write_now(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def flush(self) -> None:
        await self._connection.flush()


class _Watch:
    """Hypercorn's event "the next request may be read", which looks after the client while it is not set."""

    def __init__(self, http: Http1, stream: Any) -> None:
        self._http = http
        self._stream = stream
        self._event = trio.Event()
        self._reading = trio.CancelScope()

    async def clear(self) -> None:
        self._event = trio.Event()

    async def set(self) -> None:
        self._event.set()
        self._reading.cancel()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        kept = 0
        while kept < MAX_PIPELINED and not self._event.is_set():
            data = b""
            with trio.CancelScope() as self._reading, suppress(trio.ClosedResourceError, trio.BrokenResourceError):
                data = bytes(await self._stream.receive_some(MAX_RECV))
            if data:
                self._http.connection.receive_data(data)
                kept += len(data)
            elif not self._reading.cancelled_caught:
                raise _Gone
        await self._event.wait()
