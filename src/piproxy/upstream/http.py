"""The one door to httpx: requests go out, answers come in, httpx's errors become ours.

Nothing here has a timeout: the exchange puts a scope around every wait. The pool is unbounded, because a bounded httpx
pool never recovers from cancelled requests (encode/httpcore issues 1093 and 1099); it is our own
(:mod:`piproxy.upstream.connections` says why). httpx reads addresses and trust stores for it, and where the environment
names a proxy, which httpx knows all kinds of, httpx does everything.
"""

from __future__ import annotations

import base64
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias
from urllib.request import getproxies

import httpx
import trio

from piproxy import __version__
from piproxy.errors import ConfigError, GatewayError, UpstreamBroken, UpstreamError, UpstreamUnreachable
from piproxy.framing.httphead import Head
from piproxy.upstream.connections import BAD_HEADER, KEEPALIVE, Connect, Connection, Dial, Origin, Pool, connector

MAX_ERROR_BODY: Final = 1024 * 1024
"""Bytes of an error answer that are read; the rest is of no use to anybody."""
MAX_PIECE: Final = 64 * 1024
"""Bytes that are decompressed at once."""
BAD_PROXY: Final = (
    "The environment sets a proxy (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY) that cannot be used: its address must begin "
    "with http:// or https://, or, where the Python package socksio is installed, socks5://. Change it or unset it."
)
_PORTS: Final = {"http": 80, "https": 443}
_AGENT: Final = f"piproxy/{__version__}"
_OWN_FIELDS: Final = tuple(
    (name.lower(), (name.encode("ascii"), value.encode("ascii")))
    for name, value in (
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "keep-alive"),
        ("User-Agent", _AGENT),
    )
)
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
_FRAMING: Final = frozenset(("content-length", "transfer-encoding"))
"""Headers that only who sends the body can know."""

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

    def __init__(self, head: Head, connection: Connection) -> None:
        self.status = head.status
        self.headers = head.headers
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
        self._full = False

    async def read(self) -> bytes:
        while True:
            if self._full:  # a few bytes may become very many: others have their turns meanwhile
                await trio.lowlevel.checkpoint()
                data = self._zlib.unconsumed_tail
            elif not (data := await self._read()):
                if self._zlib.eof:
                    return b""
                raise UpstreamBroken("The provider's compressed answer broke off.")
            if self._zlib.eof:
                self._full = False
                continue
            try:
                plain = self._zlib.decompress(data, MAX_PIECE)
            except zlib.error as exc:
                raise UpstreamBroken("The provider's answer could not be decompressed.") from exc
            self._full = len(plain) == MAX_PIECE
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
        self._pool: Pool | None = None
        self._client: httpx.AsyncClient | None = None
        if connect is not None or dial is not None or not _proxied():
            self._pool = Pool(connect or connector(_Trust().context, dial or trio.open_tcp_stream))
            return
        try:
            self._client = httpx.AsyncClient(
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none is kept: clients share connections
                timeout=None,  # noqa: S113  (time belongs to the exchange)
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE),
                headers={"user-agent": _AGENT, "accept-encoding": "identity"},
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as exc:
            raise ConfigError(BAD_PROXY) from exc

    async def __aenter__(self) -> Self:
        if self._client is not None:
            await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.__aexit__(kind, exc, trace)
        if self._pool is not None:
            await self._pool.aclose()

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        connection: Callable[[bool], None] | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Send, and give the answer as soon as its head is there.

        ``connection`` is told when a connection begins to be opened (``False``) and when it stands (``True``). Leaving
        the block closes the stream, and with it the connection if the answer was not read to its end. Raises
        :class:`UpstreamUnreachable` when no answer came.
        """
        if self._pool is not None:
            return _Own(self._pool, method, url, headers, body, connection)
        assert self._client is not None  # noqa: S101 - one of the two
        return _proxied_stream(self._client, method, url, headers, body)

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


class _Target(NamedTuple):
    """Where a request goes."""

    origin: Origin
    path: bytes
    host: bytes
    basic: bytes | None
    """The ``Authorization`` of a user and a password in the address."""


@lru_cache(maxsize=256)
def _target(url: str) -> _Target:
    """Raises :class:`GatewayError`."""
    try:
        parts = httpx.URL(url)
        if parts.scheme not in _PORTS or not parts.raw_host:
            raise _bad_address()
        origin = Origin(parts.scheme, parts.raw_host.decode("ascii"), parts.port or _PORTS[parts.scheme])
    except (httpx.InvalidURL, ValueError) as exc:
        raise _bad_address() from exc
    user = f"{parts.username}:{parts.password}".encode()
    return _Target(origin, parts.raw_path, parts.netloc, b"Basic " + base64.b64encode(user) if parts.userinfo else None)


def _fields(method: str, target: _Target, headers: Mapping[str, str], size: int) -> list[tuple[bytes, bytes]]:
    """What is sent: ours, unless the request has its own, then the request's. Raises ``ValueError``."""
    given = {name.lower() for name in headers} | _FRAMING
    fields = [] if "host" in given else [(b"Host", target.host)]
    fields += [field for name, field in _OWN_FIELDS if name not in given]
    for name, value in headers.items():
        lower = name.lower()
        if lower in _FRAMING or (lower == "authorization" and target.basic is not None):
            continue
        fields.append((name.encode("ascii"), value.encode("ascii")))
    if target.basic is not None:
        fields.append((b"Authorization", target.basic))
    if size or method in _WITH_BODY:
        fields.append((b"Content-Length", b"%d" % size))
    return fields


class _Own:
    """A request on a connection of our own: a context manager without a generator, which each request pays for."""

    def __init__(
        self,
        pool: Pool,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        tell: Callable[[bool], None] | None,
    ) -> None:
        self._pool = pool
        self._asked = method, url, headers, body, tell
        self._connection: Connection | None = None

    def cut(self) -> None:
        """Nobody wants the answer any more: the provider hears it now, the block ends when its task has its turn."""
        if self._connection is not None:
            self._connection.cut()

    async def __aenter__(self) -> Answer:
        method, url, headers, body, tell = self._asked
        target = _target(url)
        try:
            fields = _fields(method, target, headers, len(body))
        except ValueError:
            raise GatewayError(BAD_HEADER, status=502) from None
        del self._asked  # the body may be large, and is not needed when it has been sent
        connection = self._connection = await self._pool.get(target.origin, tell)
        try:
            head = await connection.ask(method.encode("ascii"), target.path, fields, body)
        except BaseException:
            await connection.aclose()
            raise
        return OwnAnswer(head, connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None  # in the pool it is somebody else's
        if connection is not None and not self._pool.take_back(connection):
            with trio.CancelScope(shield=True):  # nothing in here waits: sockets are closed by force
                await connection.aclose()


@asynccontextmanager
async def _proxied_stream(
    client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> AsyncIterator[Answer]:
    try:
        request = client.build_request(method, url, headers=dict(headers), content=body)
        response = await client.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        raise _unsent(exc, url) from exc
    answer = ProxiedAnswer(response)
    try:
        yield answer
    finally:
        with trio.CancelScope(shield=True):  # nothing in here waits: sockets are closed by force
            await answer.drop(response)


def _unsent(exc: Exception, url: str) -> UpstreamError | GatewayError:
    """What httpx itself says before an answer is there; through a proxy, that is all there is."""
    if isinstance(exc, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return _bad_address()
    if isinstance(exc, (httpx.LocalProtocolError, ValueError)):
        return GatewayError(BAD_HEADER, status=502)
    host = httpx.URL(url).netloc.decode("ascii", "replace").rpartition("@")[2]
    return UpstreamUnreachable(f"{host} did not answer: {_words(exc)}.")


def _bad_address() -> GatewayError:
    return GatewayError("The model's base URL is not a valid http(s) address.", status=502)


def _words(exc: Exception) -> str:
    if isinstance(exc, httpx.RemoteProtocolError):  # behind the colon stand bytes of the provider's
        return str(exc).partition(": ")[0]
    return str(exc).strip().rstrip(".") or type(exc).__name__


def _proxied() -> bool:
    """Is a proxy set in the environment? Then httpx's own transports, which know proxies, do the work."""
    return any(scheme in getproxies() for scheme in ("http", "https", "all"))
