"""One client's connection: Hypercorn's reading and writing, with our HTTP/1.1 and HTTP/2 on top.

HTTP/1.1 clients may pipeline. Hypercorn reads nothing while a request runs and more bytes are there, so that it does
not see the client go (measured, Hypercorn 0.18): the provider would be paid for an answer that nobody reads. Here
the connection is watched meanwhile, and what comes is kept, up to ``MAX_PIPELINED`` bytes; beyond that only the next
write tells that a client has gone.

A client that closes its sending side (``shutdown(SHUT_WR)``, ``nc -N``) counts as gone: over TCP it looks the same as
one that has closed, and waiting would mean paying for the ones that have.
"""

from __future__ import annotations

from typing import Any, Final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from piproxy.server.http2 import Http2

MAX_PIPELINED: Final = 256 * 1024
"""Bytes that a client may send ahead while its request runs."""


class _Gone(Exception):
    """The client left while its request was running."""


class ClientConnection(TCPServer):
    """``await`` it to serve one connection. ``stall``: seconds that an HTTP/2 stream may wait for its client."""

    def __init__(self, app: ASGIWrapper, config: Config, context: WorkerContext, stream: Any, *, stall: float) -> None:
        super().__init__(app, config, context, {}, stream)
        self._stall = stall

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
            await self._close()

    async def _serve(self, *, secured: bool) -> None:
        socket = self.stream.transport_stream.socket if secured else self.stream.socket
        async with TaskGroup() as tasks:
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
            if secured and self.stream.selected_alpn_protocol() == "h2":
                await protocol.upgrade()
            self.protocol = protocol
            await self.idle_task.restart(tasks, self._idle_timeout)
            await self._read_data()

    async def _read_data(self) -> None:
        try:
            while data := await self.stream.receive_some(MAX_RECV):
                await self.protocol.handle(RawData(bytes(data)))
            await self.protocol.handle(RawData(b""))
        except (trio.ClosedResourceError, trio.BrokenResourceError, _Gone):
            pass
        await self.protocol.handle(Closed())


class _Protocols:
    """HTTP/1.1 until the client asks for HTTP/2."""

    def __init__(self, parts: tuple[Any, ...], stream: Any, stall: float) -> None:
        self._parts = parts
        self._stall = stall
        self._now: Http1 | Http2 = Http1(*parts, stream=stream)

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


class _Watch:
    """Hypercorn's event "the next request may be read", which looks after the client while it is not set."""

    def __init__(self, http: Http1, stream: Any) -> None:
        self._http = http
        self._stream = stream
        self._event = trio.Event()
        self._gone = False

    async def clear(self) -> None:
        self._event = trio.Event()

    async def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await self._event.wait()
            nursery.cancel_scope.cancel()
        if self._gone:
            raise _Gone

    async def _watch(self, waiting: trio.CancelScope) -> None:
        kept = 0
        while kept < MAX_PIPELINED:
            try:
                data = await self._stream.receive_some(MAX_RECV)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                data = b""
            if not data:
                self._gone = True
                waiting.cancel()
                return
            self._http.connection.receive_data(bytes(data))
            kept += len(data)
