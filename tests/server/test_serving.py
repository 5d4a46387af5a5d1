"""Real sockets on loopback: leaving, stalling, stopping."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
import trio
from fakes import waiting
from fakes.provider import DONE, chunk
from fakes.served import HEAD, piece, served
from trio.testing import wait_all_tasks_blocked

from piproxy.errors import ConfigError
from piproxy.exchange import Ending
from piproxy.server.lifecycle import serve
from piproxy.server.sockets import ClientListener

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
STREAM = {**CHAT, "stream": True}


async def silent(stream: trio.SocketStream) -> None:
    pass


async def one_event(stream: trio.SocketStream) -> None:
    await stream.send_all(HEAD + piece(chunk(content="a")))


async def flood(stream: trio.SocketStream) -> None:
    await stream.send_all(HEAD)
    while True:
        await stream.send_all(piece(chunk(content="x" * 10_000)))


async def hello(stream: trio.SocketStream) -> None:
    frames = chunk(content="hello") + chunk(finish_reason="stop") + DONE
    await stream.send_all(HEAD + piece(frames) + b"0\r\n\r\n")


async def until(stream: trio.SocketStream, text: bytes) -> bytes:
    data = b""
    while text not in data:
        more = bytes(await stream.receive_some(65536))
        assert more, data
        data += more
    return data


@pytest.mark.parametrize(("script", "body", "phase"), [
    (silent, CHAT, "before the head, whole answer"),
    (silent, STREAM, "before the head, stream"),
    (one_event, STREAM, "in mid-stream"),
])  # fmt: skip
async def test_closing_the_client_closes_the_upstream_over_tcp(
    script: object, body: dict[str, object], phase: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The delay is printed; what is promised is that it needs no timer of ours."""
    with trio.fail_after(60):
        async with served(tmp_path, script) as s:  # type: ignore[arg-type]
            client = await s.post(body)
            if script is one_event:
                await until(client, b'"content":"a"')
            await s.provider.heard.wait()
            left = trio.current_time()
            await client.aclose()
            await s.provider.gone.wait()
    assert s.provider.closed_at is not None
    with capsys.disabled():
        print(f"\n  client closed, {phase}: upstream closed {1000 * (s.provider.closed_at - left):.2f} ms later")  # noqa: T201


async def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Back-pressure holds the provider; after the stall time both sides are closed, Hypercorn's shield or not.

    The log does not say that the client left.
    """
    with trio.fail_after(60):
        async with served(tmp_path, flood, client_stall_timeout_sec=1) as s:
            client = await s.post(STREAM)
            await s.provider.gone.wait()
            with pytest.raises(trio.BrokenResourceError):
                while await client.receive_some(1_000_000):
                    pass
            await client.aclose()
            await (said := waiting.Said(capsys)).until("POST")
    assert " deadline req_" in said.log
    assert "- The client has stopped reading.\n" in said.log


async def test_sigterm_lets_a_stream_finish(tmp_path: Path) -> None:
    """It is not cut while the drain time lasts, and nobody new is let in."""

    stopping = trio.Event()

    async def slow(stream: trio.SocketStream) -> None:
        await stream.send_all(HEAD + piece(chunk(content="a")))
        await stopping.wait()
        await stream.send_all(piece(chunk(content="b") + chunk(finish_reason="stop") + DONE) + b"0\r\n\r\n")

    with trio.fail_after(60):
        async with served(tmp_path, slow, drain_sec=50) as s:
            client = await s.post(STREAM)
            await until(client, b'"content":"a"')
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(OSError, match="attempts to connect"):
                while True:
                    await (await trio.open_tcp_stream("127.0.0.1", s.port)).aclose()
            stopping.set()
            data = await until(client, b"[DONE]")
            assert b'"content":"b"' in data
            assert b"error" not in data
            await client.aclose()


@pytest.mark.parametrize("reads", [True, False], ids=["a client that reads", "a client that does not"])
async def test_sigterm_ends_what_outlives_the_drain(reads: bool, tmp_path: Path) -> None:
    """With an error frame and [DONE] for whoever reads; the upstream is closed; a stalled client does not hold us."""
    with trio.fail_after(60):
        async with served(tmp_path, one_event if reads else flood, drain_sec=1) as s:
            client = await s.post(STREAM)
            if reads:
                await until(client, b'"content":"a"')
            else:
                await s.provider.heard.wait()
                await wait_all_tasks_blocked(0.05)  # the buffers are full
            os.kill(os.getpid(), signal.SIGTERM)
            if reads:
                assert b'"code":"shutting_down"' in await until(client, b"[DONE]")
            await s.provider.gone.wait()
            await client.aclose()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_is_immediate(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever runs is cut, the upstream is closed, and the exit code names the signal; after one signal it is 0."""
    with trio.fail_after(60):
        async with served(tmp_path, one_event, drain_sec=60) as s:
            client = await s.post(STREAM)
            await until(client, b'"content":"a"')
            os.kill(os.getpid(), number)
            await waiting.Said(capsys).until("stopping")
            assert s.provider.closed == 0
            os.kill(os.getpid(), number)
            await s.provider.gone.wait()
            with pytest.raises(trio.BrokenResourceError):
                while await client.receive_some(1000):
                    pass
            await client.aclose()
            await waiting.until(lambda: s.codes)
            assert s.codes == [128 + number]
            await (said := waiting.Said(capsys)).until("POST")
            assert " shutdown req_" in said.log
        async with served(tmp_path, silent) as s:
            os.kill(os.getpid(), number)
            await waiting.until(lambda: s.codes)
            assert s.codes == [0]


async def test_sighup_reads_the_settings_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A prefix mode written into proxy-config.json is in force after SIGHUP, and so is a token."""
    with trio.fail_after(60):
        async with served(tmp_path, hello) as s:
            (tmp_path / "proxy-config.json").write_text('{"authToken": "t0ken"}')
            client = await s.post(CHAT)
            await until(client, b"200")
            await client.aclose()
            os.kill(os.getpid(), signal.SIGHUP)
            await waiting.Said(capsys).until("settings and models were read again")
            client = await s.post(CHAT)
            assert b"401" in await until(client, b"invalid_api_key")
            await client.aclose()


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    """One sentence with the next step, no trace."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is already in use.*--port"):
            serve({"port": port}, {"PI_CODING_AGENT_DIR": str(tmp_path)})


async def test_a_stalled_socket_is_reset(autojump_clock: trio.testing.MockClock) -> None:
    """No progress for the whole time is a broken connection; progress starts it anew."""
    listener = ClientListener((await trio.open_tcp_listeners(0, host="127.0.0.1"))[0].socket, stall=5)
    reader = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
    stream = await listener.accept()
    start = trio.current_time()
    with pytest.raises(trio.BrokenResourceError, match="stopped reading"):
        await stream.send_all(b"x" * 50_000_000)
    assert stream.cut is Ending.DEADLINE
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    assert trio.current_time() - start == pytest.approx(5, abs=0.1)
    await reader.aclose()
    await listener.aclose()
