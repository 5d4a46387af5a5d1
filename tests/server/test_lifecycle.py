"""The program from its start to its end, as whoever runs it sees it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio
from fakes.provider import DONE, chunk
from fakes.running import Running, alive, provider_at, running
from fakes.served import HEAD, TcpProvider, piece
from fakes.waiting import until

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


@dataclass
class Busy:
    """A program with one stream that has begun, and ends when ``finish`` is set."""

    proxy: Running
    finish: trio.Event
    answer: list[str]
    """What came of the stream, when it is over."""


@asynccontextmanager
async def busy(home: Path, *arguments: str, workers: int = 1) -> AsyncIterator[Busy]:
    finish, begun = trio.Event(), trio.Event()

    async def script(stream: trio.SocketStream) -> None:
        await stream.send_all(HEAD + piece(chunk(content="a")))
        await finish.wait()
        await stream.send_all(piece(chunk(content="b") + chunk(finish_reason="stop") + DONE) + b"0\r\n\r\n")

    async def listen(url: str, answer: list[str]) -> None:
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=CHAT) as reply,
        ):
            said = ""
            async for line in reply.aiter_lines():
                said += line
                begun.set()
            answer.append(said)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            provider = TcpProvider(script)
            await nursery.start(provider.serve)
            models = {"providers": {"tcp": provider_at(provider.port, apiKey="k3y-of-a-busy-provider-0123")}}
            async with running(home, *arguments, models=models, workers=workers) as proxy:
                answer: list[str] = []
                nursery.start_soon(listen, proxy.url, answer)
                await begun.wait()
                yield Busy(proxy, finish, answer)
            nursery.cancel_scope.cancel()


async def ends_well(b: Busy) -> None:
    """The stream comes to its end, and then the program, with the exit code 0."""
    b.finish.set()
    await until(lambda: b.answer)
    assert b.answer[0].endswith("data: [DONE]")
    assert '"content":"b"' in b.answer[0]
    assert "error" not in b.answer[0]
    assert await b.proxy.process.wait() == 0


async def refused(port: int) -> None:
    """Until nobody new is let in."""
    with pytest.raises(OSError, match="attempts to connect"):
        while True:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()


async def test_a_worker_that_has_ended_hurries_no_other(tmp_path: Path) -> None:
    """After one SIGTERM the idle worker ends at once, and the one with a stream when the stream has ended."""
    async with busy(tmp_path, "--drain", "50", workers=2) as b:
        workers = await b.proxy.workers(2)
        b.proxy.process.send_signal(signal.SIGTERM)
        await until(lambda: sum(map(alive, workers)) == 1)
        await ends_well(b)


async def test_a_service_manager_signals_to_every_process(tmp_path: Path) -> None:
    """systemd sends SIGTERM to the supervisor and to its workers: that is one signal, not two."""
    async with busy(tmp_path, "--drain", "50", workers=2) as b:
        workers = await b.proxy.workers(2)
        for number in (*workers, b.proxy.process.pid):
            os.kill(number, signal.SIGTERM)
        await until(lambda: sum(map(alive, workers)) == 1)
        await ends_well(b)


@pytest.mark.parametrize("workers", [1, 2])
async def test_whoever_started_it_may_signal_and_go(workers: int, tmp_path: Path) -> None:
    """The end of standard input beside SIGTERM is no second signal: running answers have their time."""
    async with busy(tmp_path, "--drain", "50", "--stop-with-stdin", workers=workers) as b:
        assert b.proxy.process.stdin is not None
        await b.proxy.process.stdin.aclose()
        await b.proxy.told(lambda line: "stopping reason=standard input has ended" in line)
        b.proxy.process.send_signal(signal.SIGTERM)
        await refused(int(b.proxy.url.rpartition(":")[2]))
        await ends_well(b)
