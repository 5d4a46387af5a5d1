"""The one door to httpx: requests go out, answers come in, httpx's errors become ours.

Nothing here has a timeout: the exchange puts a scope around every wait. The pool is unbounded, because a bounded httpx
pool never recovers from cancelled requests (encode/httpcore issues 1093 and 1099); it is our own, below httpx's public
transport interface (:mod:`piproxy.upstream.connections` says why).
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias
from urllib.request import getproxies

import httpx
import trio

from piproxy import __version__
from piproxy.errors import ConfigError, GatewayError, UpstreamBroken, UpstreamError, UpstreamUnreachable
from piproxy.upstream.connections import BAD_HEADER, KEEPALIVE, Connect, Connection, Dial, Origin, Pool, connector

MAX_ERROR_BODY: Final = 1024 * 1024
"""Bytes of an error answer that are read; the rest is of no use to anybody."""
MAX_PIECE: Final = 1024 * 1024
"""Bytes that are decompressed at once."""
BAD_PROXY: Final = (
    "The environment sets a proxy (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY) that cannot be used: its address must begin "
    "with http:// or https://, or, where the Python package socksio is installed, socks5://. Change it or unset it."
)
_TELL: Final = "piproxy.tell"
_CONNECTION: Final = "piproxy.connection"
_PORTS: Final = {"http": 80, "https": 443}

Read: TypeAlias = Callable[[], Coroutine[Any, Any, bytes]]
"""The next bytes of a body, ``b""`` at its end."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Answer(Protocol):
    """An answer whose body has yet to come."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""

    async def read(self) -> bytes:
        """The next bytes as they arrive, ``b""`` at the end; :class:`UpstreamBroken` if they stop short."""
        ...


class OwnAnswer:
    """An answer on a connection of our own."""

    def __init__(self, response: httpx.Response, connection: Connection) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self.read = _plain(connection.read, self.headers)


class ProxiedAnswer:
    """An answer that came through a proxy, on a connection of httpx's."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self.read = _plain(self._read, self.headers)
        self._chunks = response.aiter_raw()

    async def _read(self) -> bytes:
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except httpx.HTTPError as exc:
            raise UpstreamBroken(f"The provider's answer broke off: {_words(exc)}.") from exc
        return b""

    async def drop(self, response: httpx.Response) -> None:
        """Close, and leave no generator behind.

        httpx's iterators are generators within generators, and closing the outer one leaves the inner ones to the
        garbage collector. Once the connection is closed, reading on ends them all with an error.
        """
        await response.aclose()
        with suppress(UpstreamBroken):
            while await self._read():
                pass


class _Inflated:
    """Takes gzip or zlib off: nobody asks for compressed answers, but some servers know better."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._tail = b""

    async def read(self) -> bytes:
        while True:
            data = self._tail or await self._read()
            if not data:
                if self._zlib.eof:
                    return b""
                raise UpstreamBroken("The provider's compressed answer broke off.")
            if self._zlib.eof:
                continue
            try:
                plain = self._zlib.decompress(data, MAX_PIECE)
            except zlib.error as exc:
                raise UpstreamBroken("The provider's answer could not be decompressed.") from exc
            self._tail = self._zlib.unconsumed_tail
            if plain:
                return plain


def _plain(read: Read, headers: Mapping[str, str]) -> Read:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return read
    if coding in {"gzip", "x-gzip", "deflate"}:
        return _Inflated(read).read

    async def unreadable() -> bytes:
        raise UpstreamBroken("The provider's answer is compressed in a way that nobody asked for.")

    return unreadable


class Http:
    """The client for all providers. Use as ``async with Http() as http``."""

    def __init__(self, *, connect: Connect | None = None, dial: Dial | None = None) -> None:
        """``connect`` opens connections instead of the network (tests).

        ``dial`` opens the TCP streams below TLS, and no proxy of the environment is used then. Raises
        :class:`~piproxy.errors.ConfigError` for one that cannot be used.
        """
        own = connect is not None or dial is not None or not _proxied()
        connect = connect or connector(_Trust().context, dial or trio.open_tcp_stream)
        self._own = _Transport(Pool(connect)) if own else None
        try:
            self._client = httpx.AsyncClient(
                transport=self._own,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none is kept: clients share connections
                timeout=None,  # noqa: S113  (time belongs to the exchange)
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE),
                headers={"user-agent": f"piproxy/{__version__}", "accept-encoding": "identity"},
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as exc:
            raise ConfigError(BAD_PROXY) from exc

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, exc, trace)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        connection: Callable[[bool], None] | None = None,
    ) -> AsyncIterator[Answer]:
        """Send, and give the answer as soon as its head is there.

        ``connection`` is told when a connection begins to be opened (``False``) and when it stands (``True``). Leaving
        the block closes the stream, and with it the connection if the answer was not read to its end. Raises
        :class:`UpstreamUnreachable` when no answer came.
        """
        try:
            request = self._client.build_request(
                method, url, headers=dict(headers), content=body, extensions={_TELL: connection}
            )
            if self._own is None or request.url.userinfo:
                response = await self._client.send(request, stream=True)
            else:  # the rest of what httpx's client does (redirects, cookies, hooks) is switched off anyway
                response = await self._own.handle_async_request(request)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
            raise _unsent(exc, url) from exc
        own: Connection | None = response.extensions.get(_CONNECTION)
        answer = ProxiedAnswer(response) if own is None else OwnAnswer(response, own)
        try:
            yield answer
        finally:
            with trio.CancelScope(shield=True):  # nothing in here waits: sockets are closed by force
                if isinstance(answer, ProxiedAnswer):
                    await answer.drop(response)
                else:
                    await response.aclose()

    async def fetch(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Fetched:
        """One small exchange (a token, a model list); the caller sets the deadline."""
        async with self.stream(method, url, headers=headers, body=body) as answer:
            return Fetched(answer.status, answer.headers, await read_all(answer))


async def read_all(answer: Answer, limit: int = MAX_ERROR_BODY, *, into: list[bytes] | None = None) -> bytes:
    """The whole body, cut at ``limit`` bytes. ``into`` takes the pieces, for who wants them when the rest fails."""
    parts: list[bytes] = [] if into is None else into
    size = 0
    while size < limit and (chunk := await answer.read()):
        parts.append(chunk[: limit - size])
        size += len(chunk)
    return b"".join(parts)


class _Trust:
    """Which certificates are accepted; loaded once, when first needed (it takes tens of milliseconds)."""

    _context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = httpx.create_ssl_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context


class _Transport(httpx.AsyncBaseTransport):
    """httpx's public interface to connections, on ours."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol("neither http nor https", request=request)
        origin = Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        connection = await self._pool.get(origin, request.extensions.get(_TELL))
        try:
            head = await connection.ask(
                request.method.encode("ascii"), url.raw_path, request.headers.raw, await request.aread()
            )
        except BaseException:
            await connection.aclose()
            raise
        return httpx.Response(
            status_code=head.status_code,
            headers=list(head.headers),
            stream=_Body(connection, self._pool),
            extensions={_CONNECTION: connection},
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The body as httpx wants it; closing it gives the connection back."""

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self._connection = connection
        self._pool = pool
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while data := await self._connection.read():
                yield data
        except UpstreamBroken as exc:
            raise httpx.ReadError(exc.message) from exc

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._pool.give_back(self._connection)


def _unsent(exc: Exception, url: str) -> UpstreamError | GatewayError:
    """What httpx itself says before an answer is there; through a proxy, that is all there is."""
    if isinstance(exc, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return GatewayError("The model's base URL is not a valid http(s) address.", status=502)
    if isinstance(exc, (httpx.LocalProtocolError, ValueError)):
        return GatewayError(BAD_HEADER, status=502)
    host = httpx.URL(url).netloc.decode("ascii", "replace").rpartition("@")[2]
    return UpstreamUnreachable(f"{host} did not answer: {_words(exc)}.")


def _words(exc: Exception) -> str:
    if isinstance(exc, httpx.RemoteProtocolError):  # behind the colon stand bytes of the provider's
        return str(exc).partition(": ")[0]
    return str(exc).strip().rstrip(".") or type(exc).__name__


def _proxied() -> bool:
    """Is a proxy set in the environment? Then httpx's own transports, which know proxies, do the work."""
    return any(scheme in getproxies() for scheme in ("http", "https", "all"))
