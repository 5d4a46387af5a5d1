"""A provider for the soak: every API's samples, paced, and every way to break that a socket has."""

from __future__ import annotations

import re
import socket
import struct
from functools import cache
from pathlib import Path
from typing import Final

import trio

SAMPLES: Final = Path(__file__).parent.parent / "tests" / "wire" / "samples"
APIS: Final = tuple(path.name for path in sorted(SAMPLES.iterdir()) if path.is_dir() and path.name != "demo")
FAULTS: Final = ("429", "500", "close", "reset", "cut", "break", "garbage", "stall", "html", "chunks", "half-head")
TYPES: Final = {".sse": "text/event-stream", ".bin": "application/vnd.amazon.eventstream"}
WISH: Final = re.compile(rb"soak:([a-z0-9-]+):")
PAUSE: Final = 0.01
"""Seconds between two pieces of an answer."""


@cache
def sample(api: str) -> tuple[bytes, list[bytes]]:
    """Head and pieces of a complete answer."""
    path = min(
        (path for path in (SAMPLES / api).iterdir() if path.suffix in TYPES and not path.name.startswith("error-")),
        key=lambda path: path.stat().st_size,
    )
    body = path.read_bytes()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[path.suffix]}\r\ntransfer-encoding: chunked\r\n\r\n"
    step = max(1, len(body) // 12)
    return head.encode(), [body[at : at + step] for at in range(0, len(body), step)]


class Provider:
    """Answers what the prompt asks for: ``soak:fine:``, ``soak:reset:`` …"""

    async def serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self._handle, 0)
            task_status.started(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")

    async def _handle(self, stream: trio.SocketStream) -> None:
        try:
            while asked := await _request(stream):
                head, body = asked
                api = head.split(b" ", 2)[1].split(b"/")[1].decode()
                wish = WISH.search(body)
                if not await _answer(stream, api, wish[1].decode() if wish else "fine"):
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)


async def _request(stream: trio.SocketStream) -> tuple[bytes, bytes] | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = bytes(await stream.receive_some(65536))
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        more = bytes(await stream.receive_some(65536))
        if not more:
            return None
        body += more
    return head, body


async def _answer(stream: trio.SocketStream, api: str, wish: str) -> bool:
    """``False`` when the connection is over."""
    if wish in {"429", "500"}:
        error = b'{"error":{"message":"The words of the provider."}}'
        head = f"HTTP/1.1 {wish} No\r\ncontent-type: application/json\r\ncontent-length: {len(error)}\r\n\r\n"
        await stream.send_all(head.encode() + error)
        return True
    if wish == "close":
        return False
    head_bytes, pieces = sample(api)
    if wish == "half-head":
        await stream.send_all(head_bytes[:30])
        return False
    if wish == "html":
        page = b"<html><title>Bad gateway</title></html>"
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 39\r\n\r\n" + page)
        return True
    if wish == "last":
        head_bytes = head_bytes.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    await stream.send_all(head_bytes)
    for piece in pieces if wish in {"fine", "last"} else pieces[:5]:
        await trio.sleep(PAUSE)
        await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
    return await _end(stream, wish)


async def _end(stream: trio.SocketStream, wish: str) -> bool:
    match wish:
        case "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        case "break" | "last":
            await stream.send_all(b"0\r\n\r\n" if wish == "last" else b"ff\r\nhalf")
            return False
        case "chunks":
            await stream.send_all(b"zz\r\n")
            return False
        case "garbage":
            garbage = b"\n\ndata: {]\n\n" + bytes(range(256))
            await stream.send_all(b"%x\r\n%b\r\n0\r\n\r\n" % (len(garbage), garbage))
        case "stall":
            await stream.receive_some(1)  # until the gateway closes
            return False
        case _:
            await stream.send_all(b"0\r\n\r\n")
    return True
