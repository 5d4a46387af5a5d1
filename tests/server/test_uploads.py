"""Bodies that are refused while they are still on their way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trio
from fakes.gateway import gateway
from fakes.provider import Conversation
from fakes.served import served
from fakes.tls import write_tls
from trio.testing import MockClock

from piproxy.server import tcp
from piproxy.server.tcp import LINGER

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b"2710\r\n%b\r\n" % (b"x" * 10_000)


async def nobody(_: Conversation | trio.SocketStream) -> None:
    await trio.sleep_forever()


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(200):
        yield b"x" * 50_000


@pytest.mark.parametrize("length", [True, False], ids=["length", "chunked"])
@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
async def test_a_413_arrives_in_mid_upload(secured: bool, http2: bool, length: bool, tmp_path: Path) -> None:
    """Over real sockets, ten megabytes against a limit of one: the client hears why, and is not reset."""
    tls = write_tls(tmp_path)
    files = {"certfile": str(tls.certfile), "keyfile": str(tls.keyfile)} if secured else {}
    with trio.fail_after(60):
        async with (
            served(tmp_path, nobody, max_body_size_mb=1, **files) as s,
            httpx.AsyncClient(verify=tls.client(), http1=not http2, http2=http2, timeout=60) as client,
        ):
            url = f"{'https' if secured else 'http'}://localhost:{s.port}/v1/chat/completions"
            body = b"x" * 10_000_000 if length else pieces()
            answer = await client.post(url, content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
            assert answer.headers.get("connection") == (None if http2 else "close")
            assert (await client.get(f"{url}/../../../health")).status_code == 200
            assert s.provider.asked == 0


async def test_a_client_that_never_ends_its_body(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It has its answer, and half a minute."""
    async with gateway(tmp_path, nobody, flags={"max_body_size_mb": 0.01}) as g:
        client = g.client()
        await client.stream.send_all(HEAD + PIECE * 2)
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 413")
        start = trio.current_time()
        for _ in range(10):
            await trio.sleep(2)
            await client.stream.send_all(PIECE)
        await client.server_done.wait()
        assert trio.current_time() - start == pytest.approx(LINGER)
        await client.leave()


async def test_a_body_that_is_far_too_large(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a bound nothing more is read, and the connection is closed in that instant."""
    monkeypatch.setattr(tcp, "MAX_UNREAD", 100_000)
    async with gateway(tmp_path, nobody, flags={"max_body_size_mb": 0.01}) as g:
        client = g.client()
        await client.stream.send_all(HEAD + PIECE * 2)
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 413")
        start = trio.current_time()
        with suppress(trio.BrokenResourceError):
            for _ in range(30):
                await client.stream.send_all(PIECE)
        await client.server_done.wait()
        assert trio.current_time() == start
        await client.leave()


async def test_bytes_behind_a_400_do_no_harm(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A client that is still sending what is no HTTP hears that it is none."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        await client.stream.send_all(b"\x16\x03\x01 perhaps\r\n\r\n")
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 400")
        await client.stream.send_all(b"more of it" * 1000)
        await client.leave()
        await client.server_done.wait()


async def test_a_slow_upload_over_http2_is_not_idle(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The client does not know yet that it has its answer; once it is silent, the connection is closed in time."""
    async with gateway(tmp_path, nobody, flags={"max_body_size_mb": 0.01}, idle_connection=30) as g:
        client = await g.h2()
        reply = await client.send("POST", "/v1/chat/completions", b"x" * 15_000, end=False)
        await client.until(lambda: reply.complete)
        assert reply.status == 413
        for _ in range(10):
            await trio.sleep(20)
            await client.more(reply, b"x")
        start = trio.current_time()
        assert client.done is not None
        await client.done.wait()
        assert trio.current_time() - start == pytest.approx(30)
        await client.leave()
