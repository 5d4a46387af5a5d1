"""Connections: pipelining, half-closed and idle clients, and what may go wrong below HTTP."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from fakes.gateway import CHAT, gateway
from fakes.provider import DONE, Conversation, chunk
from fakes.served import served
from fakes.tls import write_tls
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.server import http1

BODY = json.dumps({**CHAT, "stream": True}).encode()
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
HEALTH = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def one_event(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a"))
    await trio.sleep_forever()


async def two_seconds(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a"))
    await trio.sleep(2)
    await talk.data(chunk(finish_reason="stop"), DONE)
    await talk.end()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
async def test_a_client_that_has_pipelined_is_seen_leaving(
    secured: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Bytes behind the running request do not hide that the connection is closed; nobody serves them."""
    tls = write_tls(tmp_path) if secured else None
    async with gateway(tmp_path, one_event) as g:
        client = g.client(tls=tls)
        await client.stream.send_all(REQUEST + REQUEST)
        await trio.sleep(1)
        await client.stream.send_all(HEALTH)
        await trio.sleep(5)
        left = trio.current_time()
        await client.leave()
        await wait_all_tasks_blocked()
        assert (g.provider.opened, g.provider.closed_at) == (1, [left])
        assert [line["ending"] for line in g.log] == ["client left"]
        assert client.server_done.is_set()


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path, autojump_clock: MockClock) -> None:
    """One after the other, wherever the bytes were cut."""
    async with gateway(tmp_path, two_seconds) as g:
        client = g.client()
        data = REQUEST + HEALTH + REQUEST
        for cut in range(0, len(data), 50):
            await client.stream.send_all(data[cut : cut + 50])
            await trio.sleep(0.1)
        answers = b""
        while answers.count(b"[DONE]") < 2:
            answers += bytes(await client.stream.receive_some(65536))
        first, _, rest = answers.partition(b"[DONE]")
        assert first.count(b'"content":"a"') == 1
        assert rest.index(b'{"status":"ok"}') < rest.index(b'"content":"a"')
        await client.leave()


async def test_too_much_sent_ahead_is_not_read(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound nothing is kept; then the next write, a comment at the latest, tells that the client left."""
    monkeypatch.setattr(http1, "MAX_PIPELINED", 1000)
    async with gateway(tmp_path, one_event) as g:
        client = g.client()
        await client.stream.send_all(REQUEST + HEALTH * 10)
        await wait_all_tasks_blocked()
        await client.stream.send_all(HEALTH * 100)
        await trio.sleep(5)
        left = trio.current_time()
        await client.leave()
        await wait_all_tasks_blocked()
        assert g.provider.closed_at == []
        await trio.sleep(30)
        assert g.provider.closed_at == [pytest.approx(left + 10)]


async def test_a_half_closed_client_counts_as_gone(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Whoever closes its sending side gets no answer: nothing tells it from one that has closed."""
    async with gateway(tmp_path, one_event) as g:
        client = g.client()
        await client.send("POST", "/v1/chat/completions", BODY)
        await trio.sleep(5)
        half = trio.current_time()
        assert isinstance(client.stream, trio.abc.HalfCloseableStream)
        await client.stream.send_eof()
        await wait_all_tasks_blocked()
        assert (g.provider.closed_at, [line["ending"] for line in g.log]) == ([half], ["client left"])
        await client.leave()


async def test_a_client_that_goes_on_sending_after_its_answer(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It gets its 413, and the connection is closed instead of waiting for somebody to read the rest."""
    async with gateway(tmp_path, one_event, flags={"max_body_size_mb": 0.5}) as g:
        client = g.client()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        with suppress(trio.BrokenResourceError):
            await client.stream.send_all(head + b"2710\r\n%b\r\n" % (b"x" * 10_000) * 100)
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 413")
        await client.server_done.wait()
        await client.leave()


async def test_bytes_that_are_no_http_are_a_400(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The connection is closed after it."""
    async with gateway(tmp_path, one_event) as g:
        client = g.client()
        await client.stream.send_all(b"\x16\x03\x01 this is TLS, perhaps\r\n\r\n")
        assert bytes(await client.stream.receive_some(100)).startswith(b"HTTP/1.1 400")
        await client.server_done.wait()
        await client.leave()


async def test_a_connection_that_fails_does_not_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody foresaw closes one connection and is in the log; the next connection is served."""

    async def silent(stream: trio.SocketStream) -> None:
        pass

    with trio.fail_after(60):
        async with served(tmp_path, silent) as s:
            with monkeypatch.context() as patch:
                patch.setattr(http1.Http1, "handle", lambda *_: 1 / 0)
                broken = await s.post({})
                with pytest.raises(trio.BrokenResourceError):
                    assert await broken.receive_some(1) == b""
                    raise trio.BrokenResourceError
                await broken.aclose()
            stream = await trio.open_tcp_stream("127.0.0.1", s.port)
            await stream.send_all(HEALTH)
            assert b"200" in await stream.receive_some(100)
            await stream.aclose()
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("secured", [False, True], ids=["h2c", "TLS"])
async def test_an_idle_http2_client_is_told_goodbye(secured: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """GOAWAY before the connection is closed: what the client may just be sending was not served, and can be resent."""
    async with gateway(tmp_path, two_seconds, idle_connection=30) as g:
        client = await g.h2(tls=write_tls(tmp_path) if secured else None)
        assert (await client.ask("GET", "/health")).status == 200
        assert client.done is not None
        await client.done.wait()
        await wait_all_tasks_blocked()
        assert (client.goaway, client.closed) == (0, True)
        await client.leave()
