"""An HTTP/1.1 client on a memory stream into Hypercorn, and a stream that passes for a socket."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any

import h11
import trio
from fakes.tls import Tls
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from trio.testing import memory_stream_pair

from piproxy.server.tcp import ClientConnection, Context


class _Socket:
    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 4141)

    def getpeername(self) -> tuple[str, int]:
        return ("127.0.0.1", 50000)


class SocketLike:
    """Hypercorn asks a plain stream for its socket's names."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.socket = _Socket()

    def __getattr__(self, name: str) -> Any:
        if name in ("do_handshake", "transport_stream"):
            raise AttributeError(name)
        return getattr(self._stream, name)


@dataclass
class Reply:
    """A response as far as it came."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    complete: bool = False
    times: list[float] = field(default_factory=list)
    """When each piece of the body came."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[Any]:
        """The ``data:`` frames, parsed; ``[DONE]`` stays text."""
        texts = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]

    @property
    def text(self) -> str:
        frames = [f for f in self.frames if f != "[DONE]" and f.get("choices")]
        return "".join(f["choices"][0]["delta"].get("content") or "" for f in frames)


class Client:
    """One connection to a served app."""

    def __init__(
        self,
        app: Any,
        nursery: trio.Nursery,
        config: Config | None = None,
        *,
        stall: float = 60.0,
        tls: Tls | None = None,
        protocol: str = "http/1.1",
    ) -> None:
        self.stall = stall
        self.http = h11.Connection(h11.CLIENT)
        ours, theirs = memory_stream_pair()
        self.stream: trio.abc.Stream = ours
        self._theirs: Any = SocketLike(theirs)
        if tls is not None:
            context = tls.client(protocol)
            self.stream = trio.SSLStream(ours, context, server_hostname="localhost", https_compatible=True)
            self._theirs = trio.SSLStream(self._theirs, tls.server, server_side=True, https_compatible=True)
        self.server_done = trio.Event()
        self.config = config or Config()
        nursery.start_soon(self._serve, app)

    async def _serve(self, app: Any) -> None:
        context = Context()
        await ClientConnection(ASGIWrapper(app), self.config, context, self._theirs, stall=self.stall)
        self.server_done.set()

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> None:
        """A whole request."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"host": "localhost", "content-length": str(len(data)), "content-type": "application/json"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        out = self.http.send(h11.Request(method=method, target=path, headers=list(fields.items())))
        for event in (h11.Data(data=data), h11.EndOfMessage()):
            out = (out or b"") + (self.http.send(event) or b"")
        await self.stream.send_all(out or b"")

    async def head(self) -> Reply:
        """The response head."""
        event = await self._next()
        while isinstance(event, h11.InformationalResponse):
            event = await self._next()
        assert isinstance(event, h11.Response), event
        return Reply(event.status_code, {name.decode(): value.decode() for name, value in event.headers})

    async def more(self, reply: Reply) -> bool:
        """One more piece of the body; ``False`` at its end."""
        event = await self._next()
        if isinstance(event, h11.Data):
            reply.body += bytes(event.data)
            reply.times.append(trio.current_time())
            return True
        reply.complete = isinstance(event, h11.EndOfMessage)
        return False

    async def rest(self, reply: Reply) -> Reply:
        while await self.more(reply):
            pass
        if reply.complete and self.http.our_state is h11.DONE:
            self.http.start_next_cycle()
        return reply

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        await self.send(method, path, body, **headers)
        return await self.rest(await self.head())

    async def leave(self) -> None:
        """The client closes its connection."""
        await trio.aclose_forcefully(self.stream)

    async def _next(self) -> Any:
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                return event
            try:
                data = await self.stream.receive_some(65536)
            except trio.BrokenResourceError:
                data = b""
            self.http.receive_data(bytes(data))
