"""HTTP/1.1 for one client: Hypercorn's protocol, with a shorter way for what is done per request and per event.

What Hypercorn sends as an event per head, piece and end, each through h11 and a write of its own, leaves together here
where it is there together, and a :class:`Stream` is the :class:`~piproxy.server.body.Writer` of its answer.

HTTP/1.1 clients may pipeline. Hypercorn reads nothing while a request runs and more bytes are there, so that it does
not see the client go (measured, Hypercorn 0.18): the provider would be paid for an answer that nobody reads. Here
the connection is read meanwhile, and what comes is kept, up to ``MAX_PIPELINED`` bytes; beyond that only the next
write tells that a client has gone.

A client that closes its sending side (``shutdown(SHUT_WR)``, ``nc -N``) counts as gone: over TCP it looks the same as
one that has closed, and waiting would mean paying for the ones that have.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast
from urllib.parse import unquote

import h11
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.protocol.ws_stream import Handshake
from hypercorn.trio.tcp_server import MAX_RECV
from hypercorn.typing import ASGISendEvent, H11SendableEvent, HTTPResponseBodyEvent, HTTPResponseStartEvent
from hypercorn.utils import build_and_validate_headers, suppress_body

from piproxy.errors import InvalidRequest
from piproxy.openai import failures
from piproxy.server.body import WRITER

MAX_PIPELINED: Final = 256 * 1024
"""Bytes that a client may send ahead while its request runs."""


class Gone(Exception):
    """The client left while its request was running."""


class Http1(H11Protocol):
    """One connection. ``write`` sends what can be sent without waiting, if it is there, and says how much that was."""

    connection: h11.Connection

    def __init__(self, *args: Any, stream: Any, write: Callable[[bytes], int] | None) -> None:
        super().__init__(*args)
        self.write = write
        self._watch = self.can_read = _Watch(self, stream)
        self._upgraded = False

    async def handle(self, event: Event) -> None:
        if self._watch.is_set() or not isinstance(event, RawData):
            await super().handle(event)
        elif not event.data:
            raise Gone
        else:
            self.connection.receive_data(event.data)
            await self._watch.wait(len(event.data))
            await self._handle_events()

    def added(self) -> list[tuple[bytes, bytes]]:
        """Headers of every answer."""
        made: list[tuple[bytes, bytes]] = cast(Any, self.context).headers(self.config)
        return made

    def encode(self, event: H11SendableEvent) -> bytes:
        """The bytes of an event; none if the client broke the protocol, so that nothing can be told to it."""
        try:
            return self.connection.send(event) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return b""

    async def _send_error_response(self, status_code: int, why: str = "Bad request") -> None:
        """In OpenAI's shape; the app never sees such a request."""
        refusal = InvalidRequest(f"This is no HTTP request that piproxy can read: {why}.", status=status_code)
        _, headers, body = failures.failure(refusal)
        head = [(name.encode(), value.encode()) for name, value in headers.items()]
        head += [(b"content-length", b"%d" % len(body)), (b"connection", b"close"), *self.added()]
        said = self.encode(h11.Response(headers=head, status_code=status_code))
        await self.send(RawData(said + self.encode(h11.Data(data=body)) + self.encode(h11.EndOfMessage())))

    async def _handle_events(self) -> None:
        if self._upgraded:
            await super()._handle_events()
            return
        http = self.connection
        while True:
            if http.they_are_waiting_for_100_continue:
                await self.send(RawData(self.encode(_go_on(self.added()))))
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as error:
                if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                    await self._send_error_response(error.error_status_hint, _without_bytes(error))
                await self.send(Closed())
                return
            kind = type(event)
            if kind is h11.Request:
                await self.send(Updated(idle=False))
                await self._create_stream(cast(h11.Request, event))
                if self._upgraded:
                    await super()._handle_events()
                    return
            elif self.stream is None or self.stream.app_put is None:
                return
            elif kind is h11.Data:
                data = bytes(cast(h11.Data, event).data)
                await self.stream.app_put({"type": "http.request", "body": data, "more_body": True})
            elif kind is h11.EndOfMessage:
                self._watch.begin()
                await self.stream.app_put({"type": "http.request", "body": b"", "more_body": False})
                sent_ahead = len(http.trailing_data[0])
                if not sent_ahead:
                    return
                await self._watch.wait(sent_ahead)
            else:
                return

    async def _create_stream(self, request: h11.Request) -> None:
        headers = [(name.lower(), value) for name, value in request.headers.raw_items()]
        if request.method == b"PRI" or _upgrades(headers, request.http_version.decode()):
            await self._check_protocol(request)
            await super()._create_stream(request)
            self._upgraded = not isinstance(self.connection, h11.Connection)
            return
        self.stream = stream = Stream(self, self.stream_send)
        self.keep_alive_requests += 1
        await self.context.mark_request()
        await stream.begin(request, headers)


class Stream(HTTPStream):
    """One request and its answer."""

    def __init__(self, http: Http1, send: Any) -> None:
        super().__init__(
            http.app, http.config, http.context, http.task_group, http.ssl, http.client, http.server, send, STREAM_ID
        )
        self._http = http
        self._unsent = b""
        """What has its turn before everything else."""
        self._silent = False
        self._chunked = False

    async def begin(self, request: h11.Request, headers: list[tuple[bytes, bytes]]) -> None:
        """Start the app, as Hypercorn does."""
        path, _, query = request.target.partition(b"?")
        self.scope = {
            "type": "http",
            "http_version": request.http_version.decode(),
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": request.method.decode("ascii").upper(),
            "scheme": self.scheme,
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": self.config.root_path,
            "headers": headers,
            "client": self.client,
            "server": self.server,
            "state": cast(Any, self._http.connection_state.copy()),
            "extensions": {},
        }
        if self._http.write is not None:
            cast(dict[str, Any], self.scope)[WRITER] = self
        self.app_put = await self.task_group.spawn_app(self.app, self.config, self.scope, self.app_send)

    async def handle(self, event: StreamEvent) -> None:
        if self.closed:
            return
        if not isinstance(event, StreamClosed):
            await super().handle(event)
        else:
            self.closed = True
            await self.app_put({"type": "http.disconnect"})

    def write(self, piece: bytes) -> bool:
        """As :meth:`piproxy.server.body.Writer.write`: one chunk, where the body goes in chunks.

        On ASGI's way, through Quart, Hypercorn and h11, a token costs as much as reading and translating it did. A
        chunk changes nothing of h11's state, so that a body may go both ways, one piece this and the next that.
        """
        if not self._chunked or self._unsent or self.closed or self._http.write is None:
            raise trio.WouldBlock
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
        self._unsent = chunk[self._http.write(chunk) :]
        return not self._unsent

    async def flush(self) -> None:
        """Send what :meth:`write` left."""
        out, self._unsent = self._unsent, b""
        await self._http.send(RawData(out))

    async def app_send(self, message: ASGISendEvent | None) -> None:
        kind = None if message is None else message["type"]
        if kind == "http.response.body" and self.state is ASGIHTTPState.RESPONSE:
            await self._body(cast(HTTPResponseBodyEvent, message))
        elif kind == "http.response.start" and self.state is ASGIHTTPState.REQUEST:
            await self._head(cast(HTTPResponseStartEvent, message))
        else:
            if self._unsent and not self.closed:
                await self.flush()
            await super().app_send(message)

    async def _head(self, message: HTTPResponseStartEvent) -> None:
        http, status = self._http, int(message["status"])
        headers = build_and_validate_headers(message.get("headers", []))
        has_length = any(name == b"content-length" for name, _ in headers)
        headers += http.added()
        sending = http.connection.their_state is h11.SEND_BODY
        if sending or http.keep_alive_requests >= self.config.keep_alive_max_requests:
            headers.append((b"connection", b"close"))
        self.response = message
        self.state = ASGIHTTPState.RESPONSE
        head = http.encode(h11.Response(headers=headers, status_code=status))
        self._silent = suppress_body(self.scope["method"], status)
        self._chunked = (
            not (has_length or self._silent)
            and self.scope["http_version"] == "1.1"
            and http.connection.our_state is h11.SEND_BODY
        )
        if has_length:  # the body comes right behind it
            self._unsent = head
        else:
            await http.send(RawData(head))

    async def _body(self, message: HTTPResponseBodyEvent) -> None:
        http = self._http
        data = bytes(message.get("body", b""))
        out, self._unsent = self._unsent, b""
        if data and not self._silent:
            out += b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else http.encode(h11.Data(data=data))
        more = message.get("more_body", False)
        if not more:
            out += http.encode(h11.EndOfMessage())
        if out:
            await http.send(RawData(out))
        if not more:
            self.state = ASGIHTTPState.CLOSED
            await self.send(StreamClosed(stream_id=self.stream_id))


class _Watch:
    """Hypercorn's event "the next request may be read", which looks after the client while it is not set."""

    def __init__(self, http: Http1, stream: Any) -> None:
        self._http = http
        self._stream = stream
        self._busy = False
        self._reading: trio.CancelScope | None = None
        self._event: trio.Event | None = None

    def begin(self) -> None:
        """A request is complete, and runs; whoever reads goes on reading."""
        self._busy = True

    async def clear(self) -> None:
        self.begin()

    async def set(self) -> None:
        self._busy = False
        if self._reading is not None:
            self._reading.cancel()
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        return not self._busy

    async def wait(self, kept: int = 0) -> None:
        """The client has sent ``kept`` bytes too early."""
        self._event = trio.Event()
        while kept < MAX_PIPELINED and self._busy:
            data = b""
            with trio.CancelScope() as self._reading, suppress(trio.ClosedResourceError, trio.BrokenResourceError):
                data = bytes(await self._stream.receive_some(MAX_RECV))
            if data:
                self._http.connection.receive_data(data)
                kept += len(data)
            elif not self._reading.cancelled_caught:
                raise Gone
        if self._busy:
            await self._event.wait()
        self._reading = self._event = None


def _without_bytes(error: h11.RemoteProtocolError) -> str:
    """What h11 says, but not the client's own line, as Python shows it."""
    return str(error).partition(": bytearray(")[0]


def _upgrades(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """Whether Hypercorn has to look at it. Half a WebSocket handshake is a usual request (RFC 9110, 7.8)."""
    wanted = [value.strip().lower() for name, value in headers if name == b"upgrade"]
    return bool(wanted) and (b"websocket" not in wanted or bool(Handshake(headers, version).is_valid()))


def _go_on(headers: list[tuple[bytes, bytes]]) -> h11.InformationalResponse:
    return h11.InformationalResponse(status_code=100, headers=headers)
