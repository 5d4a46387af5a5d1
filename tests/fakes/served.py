"""The gateway on real loopback sockets, and a provider on one, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from piproxy.server import lifecycle
from piproxy.settings.load import Flag

Script = Callable[[trio.SocketStream], Awaitable[None]]
KEY = "k3y-of-the-served-provider-0123"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class TcpProvider:
    """Reads a request, then plays ``script``; notes when the gateway closed."""

    script: Script
    port: int = 0
    asked: int = 0
    closed: int = 0
    closed_at: float | None = None
    heard: trio.Event = field(default_factory=trio.Event)
    gone: trio.Event = field(default_factory=trio.Event)

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self._handle, 0)
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started()

    async def _handle(self, stream: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += bytes(await stream.receive_some(65536))
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += bytes(await stream.receive_some(65536))
        self.asked += 1
        self.heard.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, stream, nursery.cancel_scope)
            try:
                await self.script(stream)
                await trio.sleep_forever()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await trio.sleep_forever()

    async def _watch(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            await stream.receive_some(1)
        except trio.BrokenResourceError:
            pass
        finally:
            self.closed += 1
            self.closed_at = trio.current_time()
            self.gone.set()
            scope.cancel()


@dataclass
class Served:
    provider: TcpProvider
    port: int
    nursery: trio.Nursery
    where: list[str]
    """The addresses, as the server shows them."""
    codes: list[int]
    """The exit code, when it has ended."""

    async def post(self, body: Any) -> trio.SocketStream:
        """Send a chat request; the connection is the caller's."""
        data = json.dumps(body).encode()
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n"
        await stream.send_all(head.encode() + data)
        return stream


@asynccontextmanager
async def served(directory: Path, script: Script, **flags: Flag) -> AsyncIterator[Served]:
    """The whole of it, as ``piproxy`` runs it but for the signals' effect on this process."""
    async with trio.open_nursery() as nursery:
        provider = TcpProvider(script)
        await nursery.start(provider.serve)
        address = f"http://127.0.0.1:{provider.port}/v1"
        models = {"baseUrl": address, "api": "openai-completions", "apiKey": KEY, "models": [{"id": "m"}]}
        (directory / "models.json").write_text(json.dumps({"providers": {"tcp": models}}))
        environ = {"PI_CODING_AGENT_DIR": str(directory)}
        codes: list[int] = []

        async def run(*, task_status: trio.TaskStatus[list[str]]) -> None:
            given = {"port": 0, "catalog": "snapshot", **flags}
            codes.append(await lifecycle.main(given, environ, task_status=task_status))

        where: list[str] = await nursery.start(run)
        yield Served(provider, int(where[0].rpartition(":")[2]), nursery, where, codes)
        nursery.cancel_scope.cancel()
