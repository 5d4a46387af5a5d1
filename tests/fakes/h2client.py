"""A raw HTTP/2 client on any stream: every frame under the test's control."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trio
from fakes.client import Reply


@dataclass
class Stream(Reply):
    """One request's answer as far as it came."""

    id: int = 0
    reset: int | None = None
    """The code with which the server reset the stream."""


@dataclass
class H2Client:
    """One connection. ``reads``: give the server new flow-control credit for what arrives."""

    stream: trio.abc.Stream
    nursery: trio.Nursery
    reads: bool = True
    window: int = 65535
    """Initial flow-control window of each stream."""
    streams: dict[int, Stream] = field(default_factory=dict)
    done: trio.Event | None = None
    """Set when the server's side of the connection has ended."""
    closed: bool = False
    """The server has closed the connection."""
    goaway: int | None = None
    """The code with which the server said that it would."""

    def __post_init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.http = h2.connection.H2Connection(config)
        self._news = trio.Condition()
        self._writing = trio.Lock()

    async def start(self) -> H2Client:
        """Prior knowledge, or after ALPN."""
        self.http.initiate_connection()
        self.http.update_settings({4: self.window})
        if not self.reads:
            # Only the streams' own windows count in tests of one that is not read.
            self.http.increment_flow_control_window(100_000_000)
        self.nursery.start_soon(self._read)
        await self._flush()
        return self

    async def send(self, method: str, path: str, body: Any = None, *, end: bool = True, **headers: str) -> Stream:
        """A request; without ``end`` its body may go on."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        stream_id = self.http.get_next_available_stream_id()
        fields = [(":method", method), (":authority", "localhost")]
        fields += [] if method == "CONNECT" else [(":path", path), (":scheme", "http")]
        fields += [("content-type", "application/json")] if data else []
        fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.http.send_headers(stream_id, fields, end_stream=end and not data)
        if data:
            self.http.send_data(stream_id, data, end_stream=end)
        reply = self.streams[stream_id] = Stream(0, {}, id=stream_id)
        await self._flush()
        return reply

    async def more(self, reply: Stream, data: bytes, *, end: bool = False) -> None:
        """More of a request's body."""
        self.http.send_data(reply.id, data, end_stream=end)
        await self._flush()

    async def until(self, ready: Callable[[], object]) -> None:
        """Wait for something to be true after what the server says."""
        async with self._news:
            while not ready():
                assert not self.closed, "the server closed the connection"
                await self._news.wait()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Stream:
        reply = await self.send(method, path, body, end=True, **headers)
        await self.until(lambda: reply.complete or reply.reset is not None)
        return reply

    async def reset(self, reply: Stream) -> None:
        """RST_STREAM, CANCEL."""
        self.http.reset_stream(reply.id, error_code=8)
        await self._flush()

    async def credit(self, reply: Stream, size: int) -> None:
        """Let the server send ``size`` bytes more."""
        self.http.increment_flow_control_window(size, reply.id)
        await self._flush()

    async def leave(self) -> None:
        await trio.aclose_forcefully(self.stream)

    async def _flush(self) -> None:
        async with self._writing:
            if data := self.http.data_to_send():
                await self.stream.send_all(data)

    async def _read(self) -> None:
        while True:
            try:
                data = await self.stream.receive_some(65536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if data:
                self._take(self.http.receive_data(bytes(data)))
                try:
                    await self._flush()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    data = b""
            self.closed = not data
            async with self._news:
                self._news.notify_all()
            if self.closed:
                return

    def _take(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = int(event.error_code or 0)
            reply = self.streams.get(getattr(event, "stream_id", 0) or 0)
            if reply is None:
                continue
            match event:
                case h2.events.ResponseReceived(headers=headers):
                    reply.headers = {str(name): str(value) for name, value in headers or ()}
                    reply.status = int(reply.headers.pop(":status"))
                case h2.events.DataReceived(data=data, flow_controlled_length=length):
                    reply.body += bytes(data or b"")
                    reply.times.append(trio.current_time())
                    if self.reads and length:
                        self.http.acknowledge_received_data(length, reply.id)
                case h2.events.StreamEnded():
                    reply.complete = True
                case h2.events.StreamReset(error_code=code):
                    reply.reset = int(code or 0)
                case _:
                    pass
