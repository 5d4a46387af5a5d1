"""A client that costs little: raw HTTP/1.1 on asyncio, so that what is measured is the proxy."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = b"zq"
"""What each token of the provider begins with, and nothing else has."""
_END: Final = b"0\r\n\r\n"


class Broken(Exception):
    """The proxy's answer is not what was asked for."""


@dataclass
class Seen:
    """One answer as it arrived; times of the monotonic clock."""

    asked: float
    status: int = 0
    tokens: int = 0
    arrivals: list[float] = field(default_factory=list)
    """When each token came."""
    ended: float = 0.0
    body: bytes = b""
    """Its first bytes."""


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self.first = asyncio.get_running_loop().create_future()
        self._done = asyncio.get_running_loop().create_future()
        self.seen = Seen(0.0)
        self._left: int | None = None
        self._head: bytes | None = b""
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[Seen]:
        """Send; the future is the whole answer, :attr:`first` its first token."""
        loop = asyncio.get_running_loop()
        self.first = loop.create_future()
        self._done = loop.create_future()
        self.seen = Seen(time.monotonic())
        self._head, self._left, self._tail = b"", None, b""
        self.transport.write(request)
        return self._done

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        for future in (self.first, self._done):
            if not future.done():
                future.set_exception(Broken("the connection was closed"))
                future.exception()  # who does not wait for it, needs no warning

    def data_received(self, data: bytes) -> None:
        seen = self.seen
        if self._head is not None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = None
            seen.status = int(head[9:12])
            lower = head.lower()
            at = lower.find(b"content-length:")
            self._left = int(lower[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else None
        if len(seen.body) < 1000:
            seen.body += data[:1000]
        if tokens := data.count(TOKEN):
            seen.tokens += tokens
            seen.arrivals += [time.monotonic()] * tokens
            if not self.first.done():
                self.first.set_result(None)
        if self._left is not None:
            self._left -= len(data)
            over = self._left <= 0
        else:
            self._tail = (self._tail + data)[-len(_END) :]
            over = self._tail == _END
        if over and not self._done.done():
            seen.ended = time.monotonic()
            self._done.set_result(seen)


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def request(
    model: str,
    headers: Mapping[str, str],
    *,
    events: int,
    every: int = 0,
    tag: str = "x",
    stream: bool = False,
    image: int = 0,
) -> bytes:
    """A chat request; ``every`` in milliseconds, ``image`` the bytes of an image in it."""
    text = f"bench events={events} every={every} tag={tag}"
    content: object = text
    if image:
        url = "data:image/png;base64," + "iVBORw0KGgo" + "A" * (image - image % 4 - 11)
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": content}]}).encode()
    lines = {
        "host": "127.0.0.1",
        "authorization": "Bearer k",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return b"POST /v1/chat/completions HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


async def calls(port: int, asked: bytes, *, count: int, connections: int, tokens: int) -> list[float]:
    """Make ``count`` calls over some connections; the seconds that each took."""
    seconds: list[float] = []
    left = count

    async def work() -> None:
        nonlocal left
        connection = await connect(port)
        while left > 0:
            left -= 1
            seen = await connection.ask(asked)
            if seen.status != 200 or seen.tokens != tokens:
                raise Broken(f"status {seen.status}, {seen.tokens} tokens: {seen.body!r}")
            seconds.append(seen.ended - seen.asked)
            if connection.transport.is_closing():
                connection = await connect(port)
        connection.transport.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return seconds
