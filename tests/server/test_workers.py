"""Several processes on one port: started, restarted and stopped together, one refresh among them all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import trio
from fakes.provider import chunk
from fakes.running import alive, provider_at, running
from fakes.served import HEAD, TcpProvider, piece
from fakes.waiting import until

from piproxy.server.supervisor import Child, Supervisor

TESTS = Path(__file__).parents[1]
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def start(how: str, file: Path, number: int, first: bool) -> Child:
    command = [sys.executable, "-m", "fakes.crashing", how, str(file)]
    process = await trio.lowlevel.open_process(command, cwd=TESTS, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return Child(process, process.stdout)


async def started(file: Path, times: int) -> None:
    await until(lambda: file.exists() and file.read_text().count("started") >= times)


async def test_a_worker_that_crashes_is_started_again(tmp_path: Path) -> None:
    """The log says so; SIGTERM ends it, and the exit code is 0."""
    file, told = tmp_path / "log", list[tuple[str, dict[str, Any]]]()
    supervisor = Supervisor(partial(start, "crash once", file), lambda text, **fields: told.append((text, fields)))
    send, signals = trio.open_memory_channel[int](0)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            codes: list[int] = []
            nursery.start_soon(_run, supervisor, 1, signals, codes)
            await started(file, 2)
            await send.send(signal.SIGTERM)
    assert codes == [0]
    assert [text for text, _ in told].count("a worker started") == 2
    again, stopping = [event for event in told if event[0] != "a worker started"]
    assert again == ("a worker ended and is started again", {"worker": 0, "code": 1, "seconds": 0.1})
    assert stopping[0] == "stopping"


async def test_a_worker_that_cannot_start_ends_them_all(tmp_path: Path) -> None:
    """Settings that make no sense are no crash: the exit code is 2."""
    supervisor = Supervisor(partial(start, "unusable", tmp_path / "log"), lambda text, **fields: None)
    with trio.fail_after(60):
        send, signals = trio.open_memory_channel[int](0)
        assert await supervisor.run(3, signals) == 2
        send.close()


async def test_the_pause_between_crashes_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as long each time, up to a limit."""
    monkeypatch.setattr("piproxy.server.supervisor.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("piproxy.server.supervisor.LONGEST_PAUSE", 0.03)
    pauses: list[float] = []
    send, signals = trio.open_memory_channel[int](1)

    def tell(text: str, **fields: Any) -> None:
        pauses.extend([fields["seconds"]] if "seconds" in fields else [])
        if len(pauses) == 4:
            send.send_nowait(signal.SIGTERM)

    with trio.fail_after(60):
        await Supervisor(partial(start, "crash", tmp_path / "log"), tell).run(1, signals)
    assert pauses == [0.01, 0.02, 0.03, 0.03]


async def test_a_worker_that_does_not_hear_signals_yet(tmp_path: Path) -> None:
    """SIGHUP would end it; it is told once it hears, since it may have read the settings before they changed."""
    file, told = tmp_path / "log", list[str]()
    supervisor = Supervisor(partial(start, "hear late", file), lambda text, **fields: told.append(text))
    send, signals = trio.open_memory_channel[int](0)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            codes: list[int] = []
            nursery.start_soon(_run, supervisor, 1, signals, codes)
            await started(file, 1)
            await send.send(signal.SIGHUP)
            await send.send(signal.SIGHUP)
            file.write_text("started\nhear\n")
            await until(lambda: file.read_text().count("heard") == 1)
            await send.send(signal.SIGHUP)
            await until(lambda: file.read_text().count("heard") == 2)
            await send.send(signal.SIGTERM)
    assert (told, codes) == (["a worker started", "stopping"], [0])


async def test_the_second_signal_is_immediate(tmp_path: Path) -> None:
    """Whatever the workers do; the exit code names the signal."""
    file = tmp_path / "log"
    supervisor = Supervisor(partial(start, "ignore", file), lambda text, **fields: None)
    send, signals = trio.open_memory_channel[int](0)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            codes: list[int] = []
            nursery.start_soon(_run, supervisor, 2, signals, codes)
            await started(file, 2)
            await send.send(signal.SIGINT)
            await send.send(signal.SIGINT)
    assert codes == [130]


async def _run(supervisor: Supervisor, count: int, signals: AsyncIterator[int], codes: list[int]) -> None:
    codes.append(await supervisor.run(count, signals))


async def test_workers_share_a_port_and_stop_together(tmp_path: Path) -> None:
    """Streams of all of them end with an error frame after one SIGTERM; every upstream is closed; the code is 0."""

    async def one_event(stream: trio.SocketStream) -> None:
        await stream.send_all(HEAD + piece(chunk(content="a")))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            provider = TcpProvider(one_event)
            await nursery.start(provider.serve)
            models = {"providers": {"tcp": provider_at(provider.port, apiKey="k3y-of-the-workers-provider-0123")}}
            async with running(tmp_path, "--drain", "0", models=models) as proxy:
                ends: list[str] = []

                async def talk() -> None:
                    async with (
                        httpx.AsyncClient(timeout=60) as client,
                        client.stream(
                            "POST", f"{proxy.url}/v1/chat/completions", json={**CHAT, "stream": True}
                        ) as answer,
                    ):
                        ends.append("".join([line async for line in answer.aiter_lines()])[-200:])

                async with trio.open_nursery() as clients:
                    for _ in range(30):
                        clients.start_soon(talk)
                    await until(lambda: provider.asked == 30)
                    assert (tmp_path / "proxy.pid").read_text().startswith(f"{proxy.process.pid}\n")
                    proxy.process.send_signal(signal.SIGTERM)
                assert all('"code":"shutting_down"' in end and end.endswith("data: [DONE]") for end in ends)
                assert len(ends) == 30
                assert await proxy.process.wait() == 0
                await until(lambda: provider.closed == 30)
            nursery.cancel_scope.cancel()


async def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """Requests go on being served; without their supervisor, however it ended, the workers end, too."""
    with trio.fail_after(60):
        async with running(tmp_path, "--demo", models={}) as proxy, httpx.AsyncClient(timeout=60) as client:
            assert (await client.get(f"{proxy.url}/health")).status_code == 200
            victim = (await proxy.workers(3))[1]
            os.kill(victim, signal.SIGKILL)
            await proxy.told(lambda line: "is started again" in line and "code=-9" in line)
            workers = await proxy.workers(4)
            async with httpx.AsyncClient(timeout=60) as other:
                assert (await other.get(f"{proxy.url}/health")).status_code == 200
            proxy.process.kill()
            await proxy.process.wait()
            await until(lambda: not any(alive(number) for number in set(workers) - {victim}))


async def test_what_all_workers_served_is_one_sum(tmp_path: Path) -> None:
    """Whichever worker is asked, and whatever became of the others."""
    with trio.fail_after(60):
        async with running(tmp_path, "--demo", models={}) as proxy:
            await proxy.serving(3)
            body = {**CHAT, "model": "demo/echo"}

            async def ask() -> None:
                async with httpx.AsyncClient(timeout=60) as client:
                    (await client.post(f"{proxy.url}/v1/chat/completions", json=body)).raise_for_status()

            async def told() -> set[tuple[int, ...]]:
                said: dict[int, tuple[int, ...]] = {}
                while len(said) < 3:
                    async with httpx.AsyncClient(timeout=60) as client:
                        status = (await client.get(f"{proxy.url}/status")).json()
                    names = ("workers", "requests", "failed", "completion_tokens")
                    said[status["pid"]] = tuple(status[name] for name in names)
                return set(said.values())

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(ask)
            assert await told() == {(3, 20, 0, 20 * 6)}
            os.kill((await proxy.workers(3))[1], signal.SIGKILL)
            await proxy.workers(4)
            await ask()
            assert await told() == {(3, 21, 0, 21 * 6)}


async def test_sighup_reaches_every_worker(tmp_path: Path) -> None:
    """A token written into proxy-config.json is soon asked for by all of them."""
    with trio.fail_after(60):
        async with running(tmp_path, "--demo", models={}) as proxy:
            await proxy.serving(3)
            (tmp_path / "proxy-config.json").write_text('{"authToken": "t0ken"}')
            proxy.process.send_signal(signal.SIGHUP)
            await until(lambda: sum("were read again" in line for line in proxy.lines) == 3)
            for _ in range(10):
                async with httpx.AsyncClient(timeout=60) as client:
                    assert (await client.get(f"{proxy.url}/v1/models")).status_code == 401


@pytest.mark.parametrize("broken", ['{"authToken": ', '{"auth_token": "t0ken-of-the-workers"}'])
async def test_a_worker_joins_only_with_the_settings_of_the_others(broken: str, tmp_path: Path) -> None:
    """A file that broke since the start takes the token from none of them: its successor waits for it to be mended."""
    path = tmp_path / "proxy-config.json"
    path.write_text('{"authToken": "t0ken-of-the-workers"}')
    with trio.fail_after(60):
        async with running(tmp_path, "--demo", models={}, workers=2) as proxy:
            asked: set[str] = set()

            async def ask(**headers: str) -> int:
                async with httpx.AsyncClient(timeout=60, headers=headers) as client:
                    answer = await client.get(f"{proxy.url}/status")
                if answer.status_code == 200:
                    asked.add(answer.json()["pid"])
                return answer.status_code

            async def both() -> None:
                asked.clear()
                while len(asked) < 2:
                    assert await ask(authorization="Bearer t0ken-of-the-workers") == 200

            await both()
            proxy.process.send_signal(signal.SIGHUP)  # it reaches only those that are known to be ready
            await until(lambda: sum("were read again" in line for line in proxy.lines) == 2)
            path.write_text(broken)
            os.kill((await proxy.workers(2))[1], signal.SIGKILL)
            await proxy.told(lambda line: line.startswith(f"piproxy: {path}"))
            await proxy.told(lambda line: "is started again" in line and "code=2" in line)
            for _ in range(5):
                assert await ask() == 401
            path.write_text('{"authToken": "t0ken-of-the-workers"}')
            await both()
            assert await ask() == 401
            proxy.process.send_signal(signal.SIGTERM)
            assert await proxy.process.wait() == 0


async def test_one_refresh_among_all_workers(tmp_path: Path) -> None:
    """Many requests at once to three processes, one expired login: the token endpoint is asked once."""
    tokens: list[str] = []
    seen: list[bytes] = []

    async def endpoint(stream: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += bytes(await stream.receive_some(65536))
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += bytes(await stream.receive_some(65536))
        if b"/oauth/token" in head:
            tokens.append(parse_qs(body.decode())["refresh_token"][0])
            await trio.sleep(0.3)
            reply = json.dumps({"access_token": "a2", "refresh_token": "r2", "expires_in": 3600}).encode()
        else:
            seen.append(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization:")))
            choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
            reply = json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode()
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (len(reply), reply)
        )

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, endpoint, 0, host="127.0.0.1"))
            port = listeners[0].socket.getsockname()[1]
            corp = provider_at(port, oauth="radius")
            corp["baseUrl"] = f"http://127.0.0.1:{port}"
            auth = {"corp": {"type": "oauth", "access": "a1", "refresh": "r1", "expires": 1}}
            async with running(tmp_path, models={"providers": {"corp": corp}}, auth=auth) as proxy:

                async def ask() -> None:
                    async with httpx.AsyncClient(timeout=60) as client:
                        answer = await client.post(f"{proxy.url}/v1/chat/completions", json=CHAT)
                        assert answer.status_code == 200, answer.text

                async with trio.open_nursery() as clients:
                    for _ in range(30):
                        clients.start_soon(ask)
            nursery.cancel_scope.cancel()
    assert tokens == ["r1"]
    assert {line.partition(b" ")[2] for line in seen} == {b"Bearer a2"}
    assert len(seen) == 30
    assert json.loads((tmp_path / "auth.json").read_text())["corp"]["refresh"] == "r2"
