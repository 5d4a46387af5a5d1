"""Hypercorn's HTTP/2 with eight things mended (all measured, Hypercorn 0.18):

* Flow control did not hold the app back: with the client's window at zero, what the provider sent was pulled and kept
  without bound. Here the app waits, and if a client takes nothing for ``stall`` seconds, that stream is reset.
* DATA for a stream that is already answered was a ``KeyError`` that ended the whole server.
* A path that is not ASCII, or CONNECT without one, did the same.
* An answer that waited for a client's credit went on waiting when that client had gone, and its connection with it.
* An answer whose app had failed in the middle of it was never ended.
* The tree of priorities took 1,000 streams, its root and those that had ended among them: a client that used what it
  was granted, or named the priorities of streams that never came, ended its connection with all that ran on it. For
  each event the tree looked at every stream (more than a millisecond where there were 1,000). Here all take turns; RFC
  9113, 5.3.1, has given priorities up.
* An idle connection was closed without GOAWAY, which tells the client that nothing it has sent was served.
* After the last stream of a stopping server, GOAWAY could overtake the stream's own END_STREAM (Hypercorn issue 226).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, cast

import h2.errors
import h2.events
import h2.exceptions
import trio
from hypercorn.events import Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BufferCompleteError, H2Protocol, StreamBuffer

from piproxy.exchange import Ending
from piproxy.server.inbox import INBOX, Inbox
from piproxy.server.turns import Turns

MAX_UNREAD: Final = 128 * 1024 * 1024
"""Bytes of bodies that nobody wants, per connection, before their streams are reset."""


class _Stalled(Exception):
    """A client took nothing of its stream for too long."""


class Buffer(StreamBuffer):
    """What waits for the client's credit on one stream; whoever fills it waits when it is full."""

    def __init__(self, event_class: Any, stall: float) -> None:
        super().__init__(event_class)
        self._stall = stall
        self._moved = trio.Event()
        self._ended = False

    async def push(self, data: bytes) -> None:
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        while len(self.buffer) >= BUFFER_HIGH_WATER and not self._ended:
            await self._progress()

    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if data:
            self._wake()
        return data

    async def drain(self) -> None:
        """Until the end of the stream is sent, not only its last bytes."""
        while not self._ended:
            await self._progress()

    async def close(self) -> None:
        self._complete = True
        self.buffer.clear()
        self.end()

    def end(self) -> None:
        """Nothing more will leave."""
        self._ended = True
        self._wake()

    async def _progress(self) -> None:
        moved = self._moved
        with trio.move_on_after(self._stall):
            await moved.wait()
            return
        raise _Stalled

    def _wake(self) -> None:
        self._moved.set()
        self._moved = trio.Event()


class Http2(H2Protocol):
    """One HTTP/2 connection."""

    def __init__(self, *args: Any, stall: float) -> None:
        super().__init__(*args)
        self.priority = self._turns = cast(Any, Turns())
        self._stall = stall
        self._unread = 0

    async def goodbye(self) -> None:
        """Tell an idle client that the connection will be closed."""
        with suppress(h2.exceptions.ProtocolError):
            self.connection.close_connection()
        await self._flush()

    async def send_task(self) -> None:
        while not self.closed:
            stream_id = self._turns.turn()
            if stream_id is not None:
                await self._send_data(stream_id)
            else:
                await self.has_data.wait()
                await self.has_data.clear()

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and event.stream_id in self.stream_buffers:
            # The app has ended in the middle of its answer, which must not look complete.
            await self._reset(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
        try:
            await super().stream_send(event)
        except _Stalled:
            if (stream := cast(Any, self.streams.get(event.stream_id))) is not None:
                inbox: Inbox = stream.scope["extensions"][INBOX]
                inbox.cut = lambda: Ending.DEADLINE
            await self._reset(event.stream_id, h2.errors.ErrorCodes.CANCEL)
            await self._close_stream(event.stream_id)
            await self._window_updated(event.stream_id)

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            match event:
                case h2.events.DataReceived(stream_id=stream_id) if stream_id not in self.streams:
                    await self._unwanted(stream_id, event.flow_controlled_length)
                case h2.events.RequestReceived(stream_id=stream_id) if self.context.terminated.is_set():
                    # This code tells the client that it may ask again elsewhere.
                    await self._reset(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                case h2.events.RequestReceived(stream_id=stream_id) if not _usable(event):
                    await self._reset(stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
                case h2.events.PriorityUpdated():
                    pass
                case _:
                    await super()._handle_events([event])

    async def _window_updated(self, stream_id: int | None) -> None:
        if stream_id:
            await super()._window_updated(stream_id)
            return
        for waiting, buffer in self.stream_buffers.items():
            if buffer.buffer:
                self._turns.unblock(waiting)
        await self.has_data.set()

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        await super()._create_stream(request)
        # The app's task has not run yet: nothing is in the buffer that is replaced.
        self.stream_buffers[request.stream_id] = Buffer(self.context.event_class, self._stall)

    async def _close_stream(self, stream_id: int) -> None:
        await super()._close_stream(stream_id)
        if stream_id in self.stream_buffers:  # its client has gone: nothing of it will leave any more
            await self.stream_buffers[stream_id].close()

    async def _send_data(self, stream_id: int) -> None:
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            self.priority.remove_stream(stream_id)
            return
        await super()._send_data(stream_id)
        if stream_id not in self.stream_buffers and isinstance(buffer, Buffer):
            buffer.end()

    async def _unwanted(self, stream_id: int, length: int) -> None:
        """Body of a request that is answered already.

        A reset with NO_ERROR could tell the client so (RFC 9113, 8.1), but httpx then fails and never reads the answer.
        So the rest is read and thrown away, up to a point.
        """
        self.connection.acknowledge_received_data(length, stream_id)
        await self._flush()
        if not self.streams:
            await self.send(Updated(idle=True))  # a client that is still sending is not idle
        self._unread += length
        if self._unread > MAX_UNREAD and stream_id not in self.stream_buffers:
            await self._reset(stream_id, h2.errors.ErrorCodes.NO_ERROR)

    async def _reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        with suppress(h2.exceptions.ProtocolError):
            self.connection.reset_stream(stream_id, code)
        await self._flush()


def _usable(request: h2.events.RequestReceived) -> bool:
    """A request with a path; no tunnel is offered here."""
    headers = dict(request.headers or ())
    method, path = bytes(headers.get(b":method", b"")), bytes(headers.get(b":path", b""))
    return method.isascii() and method != b"CONNECT" and path.isascii() and path != b""
