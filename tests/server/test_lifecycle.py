"""The program from its start to its end, as whoever runs it sees it."""

from __future__ import annotations

import os
import pty
import signal
import sys
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


@asynccontextmanager
async def demo(home: Path, *arguments: str, err: int) -> AsyncIterator[tuple[trio.Process, str]]:
    """The program, its log in the file ``err``, its address; nobody reads its standard output any more."""
    environ = {**os.environ, "PI_CODING_AGENT_DIR": str(home), "PI_PROXY_CATALOG": "snapshot"}
    command = [sys.executable, "-m", "piproxy", "--demo", "--port", "0", *arguments]
    with trio.fail_after(60):
        process = await trio.lowlevel.open_process(command, env=environ, stdout=-1, stderr=err)
        try:
            assert process.stdout is not None
            said = b""
            while b"\n" not in said:
                said += await process.stdout.receive_some()
            await process.stdout.aclose()
            yield process, "http://" + said.decode().partition("http://")[2].partition("/")[0]
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_log_that_nobody_reads_any_more(workers: str, tmp_path: Path) -> None:
    """Whoever started it, and read its words, has gone: requests are answered, and it stops as it should."""
    reader, writer = os.pipe()
    async with demo(tmp_path, "--workers", workers, err=writer) as (process, url):
        os.close(writer)
        os.close(reader)
        async with httpx.AsyncClient(timeout=60) as client:
            for _ in range(3):
                body = {**CHAT, "model": "demo/echo", "stream": False}
                answer = await client.post(f"{url}/v1/chat/completions", json=body)
                assert "hello" in answer.json()["choices"][0]["message"]["content"]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_closed_terminal_stops_what_runs_in_it(workers: str, tmp_path: Path) -> None:
    """SIGHUP reads the settings again while the terminal is there; when it was closed, SIGHUP says so."""
    screen, terminal = pty.openpty()
    async with demo(tmp_path, "--workers", workers, err=terminal) as (process, _):
        os.close(terminal)
        process.send_signal(signal.SIGHUP)
        said = b""
        while b"were read again" not in said:
            said += await trio.to_thread.run_sync(os.read, screen, 1000, abandon_on_cancel=True)
        assert process.poll() is None
        os.close(screen)
        process.send_signal(signal.SIGHUP)
        assert await process.wait() == 0
