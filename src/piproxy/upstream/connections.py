"""HTTP/1.1 connections to providers, and which of them can be used again.

httpcore's pool looks at all its connections for every request (measured: opening the 1,000th concurrent stream costs
2.5 times the 200th), opens a cancel scope and an exception map for every read, and hands out generators within
generators that a cancelled reader leaves behind. So piproxy keeps its own connections:
:mod:`piproxy.framing.httphead` writes and reads the heads, :mod:`piproxy.framing.httpbody` the bodies. There is no
limit on their number (the exchange limits concurrency) and no clock (the exchange owns the deadlines).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import trio

from piproxy.errors import GatewayError, Overloaded, UpstreamBroken, UpstreamUnreachable
from piproxy.framing.httpbody import BodyReader, ChunkedReader, EndReader, LengthReader
from piproxy.framing.httphead import BadHead, Head, HeadReader, request_head
from piproxy.upstream.sockets import READ_SIZE, TcpStream

MAX_HEAD: Final = 256 * 1024
MAX_IDLE: Final = 100
"""Idle connections kept per origin."""
KEEPALIVE: Final = 20.0
"""Seconds that an idle connection may be used again; providers close theirs after a minute or more."""

BAD_HEADER: Final = (
    "The request to the provider has a header that HTTP does not allow; look for line ends or special characters in "
    "its key and headers."
)

Headers = Sequence[tuple[bytes, bytes]]


class Origin(NamedTuple):
    """Where a connection goes."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """``host:port``, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Connect = Callable[[Origin], Awaitable[trio.abc.Stream]]
Dial = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a plain TCP stream to a host and a port; raises ``OSError``."""


class Connection:
    """One connection; one request at a time."""

    def __init__(self, stream: trio.abc.Stream, origin: Origin) -> None:
        self.origin = origin
        self.idle_since = 0.0
        self._stream = stream
        self._body: BodyReader = LengthReader(0)
        self._held = b""
        self._keep = False

    @property
    def reusable(self) -> bool:
        """The answer was read to its end, and both sides want to go on."""
        return self._keep and self._body.done and not self._body.rest and not self._held

    @property
    def stale(self) -> bool:
        """The provider has closed it, or says something that nobody asked for."""
        below = self._socket
        return below is not None and bool(below.is_readable())

    async def ask(self, method: bytes, target: bytes, headers: Headers, body: bytes) -> Head:
        """Send a request and wait for the head of its answer. Raises :class:`UpstreamUnreachable` when none comes."""
        self._keep = False
        try:
            head = request_head(method, target, headers)
        except BadHead:
            raise GatewayError(BAD_HEADER, status=502) from None
        sending = _Sending()
        if len(body) >= READ_SIZE:
            return await self._upload(method, (head, body), sending)
        await self._send(sending, head + body)
        return await self._answer(method, sending)

    async def read(self) -> bytes:
        """Body bytes as they arrive, ``b""`` at the end. Raises :class:`UpstreamBroken`."""
        while not self._body.done:
            if self._body.broken is not None:
                raise self._body.broken
            if self._held:
                data, self._held = self._held, b""
            else:
                try:
                    data = bytes(await self._stream.receive_some(READ_SIZE))
                except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                    raise UpstreamBroken(f"The provider's answer broke off: {why(exc)}.") from exc
            if not data:
                self._body.eof()
                break
            if body := self._body.feed(data):
                return body
        return b""

    def cut(self) -> None:
        """Let the provider know now that nobody listens; whoever uses this connection has to close it all the same."""
        with suppress(AttributeError, OSError):  # not a socket, or closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def _socket(self) -> Any:
        """The socket below, where there is one."""
        return getattr(self._stream, "socket", None) or getattr(
            getattr(self._stream, "transport_stream", None), "socket", None
        )

    async def aclose(self) -> None:
        """At once; what the provider still says is not waited for."""
        await trio.aclose_forcefully(self._stream)

    async def _send(self, sending: _Sending, *pieces: bytes) -> None:
        """A provider may answer (413, 401) and close before it has read everything: that is no failure yet."""
        try:
            for piece in pieces:
                await self._stream.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            sending.failed = exc
        else:
            sending.done = True

    async def _upload(self, method: bytes, pieces: Sequence[bytes], sending: _Sending) -> Head:
        """A large request: listen while it is sent, for a provider that refuses it may not read on."""
        result: Head | UpstreamUnreachable
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, sending, *pieces)
            try:
                result = await self._answer(method, sending)
                if not sending.done and result.status >= 300:
                    # Here and now, since a TLS stream cannot be read any more when its sender has been cancelled.
                    await self._keep_refusal()
            except UpstreamUnreachable as error:
                result = error
            if isinstance(result, UpstreamUnreachable) or result.status >= 300:
                nursery.cancel_scope.cancel()
        if isinstance(result, UpstreamUnreachable):
            raise result
        self._keep = self._keep and sending.done
        return result

    async def _keep_refusal(self) -> None:
        """The body of a refusal, as far as it comes; the connection ends with it."""
        body = bytearray()
        with suppress(UpstreamBroken):
            while len(body) < MAX_HEAD and (data := await self.read()):
                body += data
        self._held = bytes(body)
        self._body = LengthReader(len(body))
        self._keep = False

    async def _answer(self, method: bytes, sending: _Sending) -> Head:
        reader = HeadReader(MAX_HEAD)
        head = await self._head(reader, sending)
        self._body = _body_reader(method, head)
        self._held = reader.rest
        self._keep = sending.failed is None and _goes_on(head) and not isinstance(self._body, EndReader)
        return head

    async def _head(self, reader: HeadReader, sending: _Sending) -> Head:
        while True:
            try:
                data = bytes(await self._stream.receive_some(READ_SIZE))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                raise self._no_answer(why(sending.failed or exc)) from exc
            if not data:
                raise self._no_answer("the connection was closed")
            try:
                head = reader.feed(data)
            except BadHead as exc:
                raise self._no_answer(f"what it says is not HTTP ({exc})") from exc
            if head is not None:
                return head

    def _no_answer(self, reason: str) -> UpstreamUnreachable:
        return UpstreamUnreachable(f"{self.origin.netloc} did not answer: {reason}.")


@dataclass(slots=True)
class _Sending:
    """How far a request has gone out."""

    done: bool = False
    failed: Exception | None = None


class Pool:
    """The connections of one client."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._idle: dict[Origin, list[Connection]] = defaultdict(list)

    async def get(self, origin: Origin, tell: Callable[[bool], None] | None = None) -> Connection:
        """An idle connection, or a new one; ``tell`` hears when one begins to be opened and when it stands."""
        await self._close_old()
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if not connection.stale:
                return connection
            await connection.aclose()
        if tell is not None:
            tell(False)
        connection = Connection(await self._connect(origin), origin)
        if tell is not None:
            tell(True)
        return connection

    def take_back(self, connection: Connection) -> bool:
        """The request is over: keep the connection if it can be used again, else it is the caller's to close."""
        idle = self._idle[connection.origin]
        if not connection.reusable or len(idle) >= MAX_IDLE:
            return False
        connection.idle_since = trio.current_time()
        idle.append(connection)
        return True

    async def aclose(self) -> None:
        connections = [connection for idle in self._idle.values() for connection in idle]
        self._idle.clear()
        await _close(connections)

    async def _close_old(self) -> None:
        end = trio.current_time() - KEEPALIVE
        old: list[Connection] = []
        for idle in self._idle.values():
            # The oldest stand first: connections are taken from the end and put back there.
            while idle and idle[0].idle_since <= end:
                old.append(idle.pop(0))
        if old:
            await _close(old)


async def _close(connections: Sequence[Connection]) -> None:
    """All of them, also when we are cancelled. Other tasks run meanwhile: they must be out of the pool before."""
    with trio.CancelScope(shield=True):  # nothing in here waits
        for connection in connections:
            await connection.aclose()


def connector(context: Callable[[], ssl.SSLContext], dial: Dial = trio.open_tcp_stream) -> Connect:
    """Opens real connections; ``context`` is asked for when the first ``https`` one is needed.

    Whatever address ``dial`` connects to, the certificate is checked against the origin's own name.
    """

    async def connect(origin: Origin) -> trio.abc.Stream:
        try:
            opened = await dial(origin.host, origin.port)
        except OSError as exc:
            if _exhausted(exc):
                raise Overloaded(
                    "piproxy has no file descriptors left for a connection to the provider; try again in a moment.",
                    headers={"retry-after": "1"},
                ) from exc
            raise _unconnected(origin, exc) from exc
        tcp = TcpStream(opened) if isinstance(opened, trio.SocketStream) else opened
        if origin.scheme != "https":
            return tcp
        tls = trio.SSLStream(tcp, context(), server_hostname=origin.host, https_compatible=True)
        try:
            await tls.do_handshake()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            await trio.aclose_forcefully(tls)
            raise _unconnected(origin, exc) from exc
        except BaseException:
            await trio.aclose_forcefully(tls)
            raise
        return tls

    return connect


def _unconnected(origin: Origin, exc: BaseException) -> UpstreamUnreachable:
    return UpstreamUnreachable(f"Could not connect to {origin.netloc}: {why(exc)}.")


def _exhausted(exc: BaseException | None) -> bool:
    """Is it this process, or this machine, that has no room? trio keeps the reason in the causes."""
    if isinstance(exc, BaseExceptionGroup):
        return any(map(_exhausted, exc.exceptions))
    return exc is not None and (getattr(exc, "errno", 0) in (errno.EMFILE, errno.ENFILE) or _exhausted(exc.__cause__))


def why(exc: BaseException) -> str:
    """The operating system's own words, which trio keeps in the causes."""
    if isinstance(exc, BaseExceptionGroup):
        return why(exc.exceptions[0])
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({exc.verify_message})"
    if isinstance(exc, OSError) and exc.strerror:
        if exc.errno is None or exc.errno not in errno.errorcode or isinstance(exc, (ssl.SSLError, socket.gaierror)):
            return exc.strerror
        return os.strerror(exc.errno)  # trio writes the address into the exception's own words
    cause = exc.__cause__
    return why(cause) if cause is not None else str(exc) or type(exc).__name__


def _body_reader(method: bytes, head: Head) -> BodyReader:
    """How the body is framed (RFC 9112, 6.3); the two headers have been checked."""
    if method == b"HEAD" or head.status in (204, 304):
        return LengthReader(0)
    if "transfer-encoding" in head.headers:
        return ChunkedReader()
    if "content-length" in head.headers:
        return LengthReader(int(head.headers["content-length"]))
    return EndReader()


def _goes_on(head: Head) -> bool:
    """Will the provider take another request on this connection? Two framings at once are one too many for that."""
    headers = head.headers
    return (
        head.modern
        and "close" not in headers.get("connection", "").lower()
        and not ("transfer-encoding" in headers and "content-length" in headers)
    )
