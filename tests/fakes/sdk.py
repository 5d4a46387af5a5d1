"""openai-python on memory streams into the served app, and a provider that speaks every API."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpcore
import httpx
import trio
from fakes.answers import WIRES, Said, api_of
from fakes.client import SocketLike
from fakes.gateway import Gateway
from fakes.provider import Conversation, Script
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from openai import AsyncOpenAI
from trio.testing import memory_stream_pair


class _Stream(httpcore.AsyncNetworkStream):
    """A memory stream as httpcore wants it; the SDK's time limits are not what is tested."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore.ReadError(str(exc)) from exc

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return None


class _Network(httpcore.AsyncNetworkBackend):
    """Every connection is to the gateway."""

    def __init__(self, connect: Callable[[], Awaitable[trio.abc.HalfCloseableStream]]) -> None:
        self._connect = connect

    async def connect_tcp(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._connect())


@asynccontextmanager
async def openai(gateway: Gateway, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    """The SDK with its strict response validation on and its own retry loop."""

    async def connect() -> trio.abc.HalfCloseableStream:
        ours, theirs = memory_stream_pair()
        stream: Any = SocketLike(theirs)
        context = WorkerContext(None)
        app: Any = ASGIWrapper(gateway.app)

        async def serve() -> None:
            await TCPServer(app, gateway.config, context, {}, stream)

        gateway.nursery.start_soon(serve)
        return ours

    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(network_backend=_Network(connect))
    http: Any = httpx.AsyncClient(transport=transport, timeout=600)
    given = {"api_key": "any", "base_url": "http://localhost:4141/v1", "_strict_response_validation": True, **options}
    async with AsyncOpenAI(http_client=http, **given) as client:
        yield client
    gc.collect(1)  # what the SDK leaves to the collector is this test's, not the next one's


def saying(*answers: Said | Callable[[Conversation], Any]) -> Script:
    """A provider that gives these answers in turn, the last one for ever, in the bytes of the API that is asked."""
    left = list(answers)

    async def script(talk: Conversation) -> None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if not isinstance(answer, Said):
            await answer(talk)
            return
        wire = WIRES[api_of(talk.asked.target)]
        await talk.head(content_type=wire.content_type)
        data = wire.write(answer)
        await talk.data(*(data[at : at + 97] for at in range(0, len(data), 97)))
        await talk.end()

    return script


def refusing(status: int, **headers: str) -> Callable[..., Any]:
    """An answer of a provider that does not want to, and that shows all it was sent."""

    async def refuse(talk: Conversation) -> None:
        bare = "? ".join(value.rpartition(" ")[2] for value in talk.asked.headers.values())
        message = f"No. You sent {talk.asked.headers} to {talk.asked.target}. What is {bare}?"
        shown = {"x_request_id": bare[:2000], "x_ratelimit_of": bare[:2000], **headers}
        await talk.json(status, json.dumps({"error": {"message": message}}).encode(), **shown)

    return refuse
