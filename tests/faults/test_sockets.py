"""The same over real sockets: every fault, and afterwards exactly the file descriptors of before."""

from __future__ import annotations

import gc
import json
import socket
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from benchmarks import breaking
from fakes.breaking import KEY, tasks
from fakes.waiting import until

from piproxy.server import lifecycle
from piproxy.settings.load import Flag
from piproxy.upstream import connections

FLAGS: dict[str, Flag] = {
    "port": 0,
    "demo": True,
    "catalog": "snapshot",
    "first_byte_timeout_sec": 2,
    "idle_timeout_sec": 1,
}


def descriptors() -> tuple[int, int]:
    """File descriptors where the system lists them, and sockets that are open."""
    gc.collect()
    listed = Path("/dev/fd")
    count = len(list(listed.iterdir())) if listed.exists() else 0
    return count, sum(isinstance(found, socket.socket) and found.fileno() >= 0 for found in gc.get_objects())


async def ask(client: httpx.AsyncClient, api: str, fault: str, stream: bool) -> None:
    """One request: a right answer, or one honest error."""
    body = {"model": f"p-{api}/m", "messages": [{"role": "user", "content": f"soak:{fault}:"}], "stream": stream}
    reply = await client.post("/v1/chat/completions", json=body)
    failed = reply.status_code != 200 or b'data: {"error":' in reply.content
    assert failed == (fault != "fine"), (api, fault, reply.content)
    if reply.status_code != 200:
        assert reply.json()["error"]["message"]
    elif stream:
        assert reply.content.endswith(b"data: [DONE]\n\n")
        assert reply.content.count(b'data: {"error":') == failed


async def leave(client: httpx.AsyncClient, api: str) -> None:
    """A client that goes in the middle of its answer."""
    body: Any = {"model": f"p-{api}/m", "messages": [{"role": "user", "content": "soak:stall:"}], "stream": True}
    with trio.CancelScope() as scope:
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for _ in answer.aiter_raw():
                scope.cancel()


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
async def test_no_descriptor_is_left(http2: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of all kinds in all rooms, clients that leave; then as many sockets, descriptors and tasks as before."""
    monkeypatch.setattr(breaking, "PAUSE", 0.001)
    monkeypatch.setattr(connections, "KEEPALIVE", 0.0)
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            address = await nursery.start(breaking.Provider().serve)
            models = {
                f"p-{api}": {"baseUrl": f"{address}/{api}/v1", "api": api, "apiKey": KEY, "models": [{"id": "m"}]}
                for api in breaking.APIS
            }
            (tmp_path / "models.json").write_text(json.dumps({"providers": models}))
            environ = {"PI_CODING_AGENT_DIR": str(tmp_path)}
            where = await nursery.start(partial(lifecycle.main, FLAGS, environ))
            alone = tasks()
            plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody needs the authorities, which take long to load
            new = partial(httpx.AsyncClient, base_url=where[0], http1=not http2, http2=http2, timeout=60, verify=plain)
            async with new() as client:
                for api in breaking.APIS:
                    await ask(client, api, "fine", stream=True)
            # The provider's side of one idle connection, and nothing of the client's.
            await until(lambda: tasks() == alone + 1)
            before = (descriptors(), tasks())
            for number, api in enumerate(breaking.APIS):
                async with new() as client:
                    for fault in breaking.FAULTS[number % 2 :: 2]:
                        await ask(client, api, fault, stream=bool(number % 3))
                    await leave(client, api)
                    await ask(client, api, "fine", stream=True)
            await until(lambda: (descriptors(), tasks()) == before)
            nursery.cancel_scope.cancel()
