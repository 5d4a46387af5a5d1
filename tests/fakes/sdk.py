"""openai-python on memory streams into the served app, and a provider that speaks every API."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

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

from piproxy.upstream.connections import Origin, Pool
from piproxy.upstream.http import _Transport


@asynccontextmanager
async def openai(gateway: Gateway, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    """The SDK with its strict response validation on and its own retry loop."""

    async def connect(origin: Origin) -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        stream: Any = SocketLike(theirs)
        context = WorkerContext(None)
        app: Any = ASGIWrapper(gateway.app)

        async def serve() -> None:
            await TCPServer(app, gateway.config, context, {}, stream)

        gateway.nursery.start_soon(serve)
        return ours

    http: Any = httpx.AsyncClient(transport=_Transport(Pool(connect)), timeout=600)
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
        await talk.json(status, json.dumps({"error": {"message": message}}).encode(), **headers)

    return refuse
