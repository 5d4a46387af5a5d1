"""A scripted provider on memory streams: plays bytes, pauses and breakages, and remembers what became of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h11
import trio
from trio.testing import memory_stream_pair

from piproxy.upstream.connections import Origin


@dataclass
class Asked:
    """One request as the provider saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float


Script = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    """The provider's end of one connection."""

    stream: trio.abc.HalfCloseableStream
    http: h11.Connection
    asked: Asked
    sent: int = 0

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        fields = [("content-type", content_type), *((k.replace("_", "-"), v) for k, v in headers.items())]
        await self._write(h11.Response(status_code=status, headers=[*fields, ("transfer-encoding", "chunked")]))

    async def data(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self._write(h11.Data(data=piece))
            self.sent += 1

    async def end(self) -> None:
        await self._write(h11.EndOfMessage())

    async def json(self, status: int, body: bytes, **headers: str) -> None:
        await self.head(status, "application/json", **headers)
        await self.data(body)
        await self.end()

    async def break_off(self) -> None:
        await self.stream.aclose()

    async def _write(self, event: Any) -> None:
        await self.stream.send_all(self.http.send(event) or b"")


@dataclass
class Provider:
    """Give its :meth:`connect` to ``Http``; ``script`` answers every request. ``nursery`` runs the provider's side."""

    nursery: trio.Nursery
    script: Script
    before: Callable[[], Awaitable[None]] | None = None
    """Awaited before a connection stands."""
    asked: list[Asked] = field(default_factory=list)
    opened: int = 0
    closed_at: list[float] = field(default_factory=list)
    """When the gateway closed a connection, in virtual seconds."""

    async def connect(self, origin: Origin) -> trio.abc.Stream:
        if self.before is not None:
            await self.before()
        ours, theirs = memory_stream_pair()
        self.opened += 1
        self.nursery.start_soon(self.serve, theirs)
        return ours

    @property
    def open(self) -> int:
        return self.opened - len(self.closed_at)

    async def serve(self, stream: Any) -> None:
        """One connection, until either side is done."""
        http = h11.Connection(h11.SERVER)
        arrived, incoming = trio.open_memory_channel[bytes](1000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, stream, arrived, nursery)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while True:
                    asked = await self._request(http, incoming)
                    self.asked.append(asked)
                    await self.script(Conversation(stream, http, asked))
                    if http.our_state is not h11.DONE:
                        break
                    http.start_next_cycle()

    async def _read(
        self, stream: trio.StapledStream[Any, Any], arrived: trio.MemorySendChannel[bytes], nursery: trio.Nursery
    ) -> None:
        """What the gateway sends; the end of it is the moment in which the gateway closed."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await stream.receive_some(65536):
                await arrived.send(bytes(data))
        self.closed_at.append(trio.current_time())
        nursery.cancel_scope.cancel()

    async def _request(self, http: h11.Connection, incoming: trio.MemoryReceiveChannel[bytes]) -> Asked:
        head: h11.Request | None = None
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await incoming.receive())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage), event
                assert head is not None
                headers = {name.decode().lower(): value.decode() for name, value in head.headers}
                return Asked(head.method.decode(), head.target.decode(), headers, body, trio.current_time())


def chunk(**delta: Any) -> bytes:
    """One frame of a chat completion stream."""
    finish = delta.pop("finish_reason", None)
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "up", "model": "m", "choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
