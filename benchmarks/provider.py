"""A scripted provider: ``python -m benchmarks.provider``; prints its port and serves until its stdin ends.

What it answers stands in the prompt, so that every proxy can be given the same work whatever it makes of the request:
``bench events=50 every=20 tag=a`` is fifty tokens, one every 20 ms (0: all at once). It notes when the connection of a
tagged stream was closed before its end; ``GET /closed`` tells (seconds of the monotonic clock, which the processes of a
machine share).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Final

SCRIPT: Final = re.compile(rb"bench events=(\d+) every=(\d+) tag=(\w+)")
STREAM: Final = re.compile(rb'"stream"\s*:\s*true')
EDGE: Final = 16 * 1024
"""Of a large body only so much is looked at, from both ends."""
TOKEN: Final = "zq{:05d} "

_CHUNK: Final = (
    '{{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench",'
    '"choices":[{{"index":0,"delta":{},"finish_reason":{}}}]}}'
)
_USAGE: Final = '"usage":{"prompt_tokens":9,"completion_tokens":50,"total_tokens":59}'
_SSE_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

_closed: dict[str, float] = {}


def _frame(text: str) -> bytes:
    data = f"data: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def _token(number: int) -> bytes:
    return _frame(_CHUNK.format(json.dumps({"content": TOKEN.format(number)}), "null"))


_FIRST: Final = _frame(_CHUNK.format('{"role":"assistant","content":""}', "null"))
_LAST: Final = (
    _frame(_CHUNK.format("{}", '"stop"'))
    + _frame(
        _CHUNK.format("{}", "null").replace('"choices":[{"index":0,"delta":{},"finish_reason":null}]', '"choices":[]')[
            :-1
        ]
        + ","
        + _USAGE
        + "}"
    )
    + _frame("[DONE]")
    + b"0\r\n\r\n"
)
_TOKENS: Final = [_token(number) for number in range(2000)]


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._pieces: list[bytes] = []
        self._missing = 0
        self._chunked = False
        self._tag = ""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        if self._timer is not None:
            self._timer.cancel()
            _closed[self._tag] = time.monotonic()

    def data_received(self, data: bytes) -> None:
        if not self._pieces:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._begin(head)
        self._pieces.append(data)
        self._missing -= len(data)
        complete = data.endswith(b"0\r\n\r\n") if self._chunked else self._missing <= 0
        if complete:
            head, self._head = self._head, b""
            body, self._pieces = b"".join(self._pieces), []
            if head.startswith(b"GET /closed"):
                self._json(json.dumps(_closed))
            else:
                self._answer(body)

    def _begin(self, head: bytes) -> None:
        lower = head.lower()
        found = re.search(rb"content-length: *(\d+)", lower)
        self._missing = int(found[1]) if found else 0
        self._chunked = b"transfer-encoding: chunked" in lower
        if b"expect: 100-continue" in lower:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, body: bytes) -> None:
        edges = body if len(body) <= 2 * EDGE else body[:EDGE] + body[-EDGE:]
        script = SCRIPT.search(edges)
        events, every = (int(script[1]), int(script[2])) if script else (1, 0)
        self._tag = script[3].decode() if script else ""
        if not STREAM.search(edges):
            text = "".join(map(TOKEN.format, range(events)))
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            fields = {"id": "chatcmpl-bench", "object": "chat.completion", "created": 1700000000, "model": "bench"}
            self._json(json.dumps({**fields, "choices": [choice]})[:-1] + "," + _USAGE + "}")
        elif every == 0:
            self._transport.write(b"".join((_SSE_HEAD, _FIRST, *_TOKENS[:events], _LAST)))
        else:
            self._transport.write(_SSE_HEAD + _FIRST)
            self._step(0, events, every / 1000, self._loop.time())

    def _step(self, number: int, events: int, every: float, start: float) -> None:
        if number == events:
            self._timer = None
            self._transport.write(_LAST)
            return
        self._transport.write(_TOKENS[number])
        number += 1
        self._timer = self._loop.call_at(start + number * every, self._step, number, events, every, start)

    def _json(self, text: str) -> None:
        body = text.encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", 0, backlog=2000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
