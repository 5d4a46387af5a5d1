"""The one door to httpx: requests go out, answers come in, httpx's errors become ours.

Nothing here has a timeout: the exchange puts a scope around every wait. The pool is unbounded, because a bounded httpx
pool never recovers from cancelled requests (encode/httpcore issues 1093 and 1099).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.request import getproxies

import httpcore
import httpx
import trio

from piproxy import __version__
from piproxy.errors import GatewayError, UpstreamBroken, UpstreamError, UpstreamUnreachable
from piproxy.upstream.network import CONNECTION, Backend

MAX_ERROR_BODY: Final = 1024 * 1024
"""Bytes of an error answer that are read; the rest is of no use to anybody."""
KEEPALIVE: Final = 20.0
"""Seconds that an idle connection is kept; providers close theirs after a minute or more."""


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


class HttpAnswer:
    """An answer over HTTP."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._chunks = response.aiter_bytes() if "content-encoding" in self.headers else response.aiter_raw()

    async def read(self) -> bytes:
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except httpx.DecodingError as exc:
            raise UpstreamBroken("The provider's answer could not be decompressed.") from exc
        except httpx.HTTPError as exc:
            raise UpstreamBroken(f"The provider's answer broke off: {_words(exc)}.") from exc
        return b""

    async def aclose(self) -> None:
        """Close the connection unless the answer was read to its end, and leave no generator behind.

        The iterators of httpx and httpcore are generators within generators, and closing the outer one leaves the inner
        ones to the garbage collector. Once the connection is closed, reading on ends them all with an error.
        """
        with trio.CancelScope(shield=True):  # nothing in here waits: the socket is closed by force
            await self._response.aclose()
            with suppress(UpstreamBroken):
                while await self.read():
                    pass


class Http:
    """The client for all providers. Use as ``async with Http() as http``."""

    def __init__(self, *, backend: httpcore.AsyncNetworkBackend | None = None) -> None:
        transport = None if backend is None and _proxied() else _Transport(backend or Backend())
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=None,  # noqa: S113  (time belongs to the exchange)
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE),
            headers={"user-agent": f"piproxy/{__version__}", "accept-encoding": "identity"},
            follow_redirects=False,
        )

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
        token = CONNECTION.set(connection)
        try:
            request = self._client.build_request(method, url, headers=dict(headers), content=body)
            response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
            raise _unsent(exc, url) from exc
        finally:
            CONNECTION.reset(token)
        answer = HttpAnswer(response)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def fetch(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Fetched:
        """One small exchange (a token, a model list); the caller sets the deadline."""
        async with self.stream(method, url, headers=headers, body=body) as answer:
            return Fetched(answer.status, answer.headers, await read_all(answer))


async def read_all(answer: Answer, limit: int = MAX_ERROR_BODY) -> bytes:
    """The whole body, cut at ``limit`` bytes."""
    parts: list[bytes] = []
    size = 0
    while size < limit and (chunk := await answer.read()):
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts)[:limit]


class _Transport(httpx.AsyncBaseTransport):
    """httpx on an httpcore pool with a network backend of our own."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=KEEPALIVE,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except Exception as exc:
            raise _translated(exc, request) from exc
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream, request),  # type: ignore[arg-type]
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """httpcore's body, its errors renamed."""

    def __init__(self, stream: httpcore.AsyncConnectionInterface, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:  # type: ignore[attr-defined]
                yield part
        except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
            raise _translated(exc, self._request) from exc

    async def aclose(self) -> None:
        await self._stream.aclose()


_NAMES: Final[dict[type[Exception], type[httpx.TransportError]]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}


def _translated(exc: Exception, request: httpx.Request) -> Exception:
    kind = _NAMES.get(type(exc))
    return exc if kind is None else kind(str(exc), request=request)


def _unsent(exc: Exception, url: str) -> UpstreamError | GatewayError:
    if isinstance(exc, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return GatewayError("The model's base URL is not a valid http(s) address.", status=502)
    if isinstance(exc, (httpx.LocalProtocolError, ValueError)):
        # The text of these holds the header's value, which may be a key.
        return GatewayError(
            "The request to the provider has a header that HTTP does not allow; look for line ends or special "
            "characters in its key and headers.",
            status=502,
        )
    host = httpx.URL(url).netloc.decode("ascii", "replace").rpartition("@")[2]
    if isinstance(exc, httpx.ConnectError):
        return UpstreamUnreachable(f"Could not connect to {host}: {_words(exc)}.")
    return UpstreamUnreachable(f"{host} closed the connection without an answer: {_words(exc)}.")


def _words(exc: Exception) -> str:
    return str(exc).strip().rstrip(".") or type(exc).__name__


def _proxied() -> bool:
    """Is a proxy set in the environment? Then httpx's own transports, which know proxies, do the work."""
    return any(scheme in getproxies() for scheme in ("http", "https", "all"))
