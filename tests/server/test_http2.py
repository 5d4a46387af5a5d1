"""HTTP/2 by prior knowledge and over TLS: many requests on one connection that do not disturb each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trio
from fakes.client import Client
from fakes.gateway import CHAT, Gateway, gateway
from fakes.h2client import H2Client, Stream
from fakes.phases import PHASES, between_events
from fakes.provider import DONE, Conversation, Script, chunk
from fakes.tls import write_tls
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.credential import Credential
from piproxy.model import Model
from piproxy.server import http2
from piproxy.server.serving import protocol_config

STREAM = {**CHAT, "stream": True}
PATH = "/v1/chat/completions"


async def hello(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="Hel"), chunk(content="lo"), chunk(finish_reason="stop"), DONE)
    await talk.end()


class Endless:
    """An upstream that always has another piece, and counts how many were taken."""

    status = 200
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self.given = 0
        self.closed_at: float | None = None

    @asynccontextmanager
    async def stream(self, method: str, url: str, **kwargs: object) -> AsyncIterator[Endless]:
        try:
            yield self
        finally:
            self.closed_at = trio.current_time()

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        self.given += 1
        return chunk(content="x" * 10_000)


async def connect(g: Gateway, secured: bool) -> H2Client:
    return await g.h2(tls=write_tls(g.directory) if secured else None)


BOTH = pytest.mark.parametrize("secured", [False, True], ids=["h2c", "TLS"])


@BOTH
async def test_streams_and_whole_answers(secured: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """As over HTTP/1.1, one connection, both at once."""
    async with gateway(tmp_path, hello) as g:
        client = await connect(g, secured)
        streamed, whole = await client.send("POST", PATH, STREAM), await client.send("POST", PATH, CHAT)
        await client.until(lambda: streamed.complete and whole.complete)
        assert (streamed.status, streamed.text, streamed.frames[-1]) == (200, "Hello", "[DONE]")
        assert whole.json["choices"][0]["message"]["content"] == "Hello"
        await client.leave()


@BOTH
@pytest.mark.parametrize("script", PHASES)
@pytest.mark.parametrize("body", [STREAM, CHAT], ids=["stream", "whole"])
@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_ends_the_upstream_in_that_instant(
    secured: bool, script: Script, body: dict[str, object], how: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """In every phase, by RST_STREAM or by closing the connection, no virtual time passes."""
    async with gateway(tmp_path, script) as g:
        client = await connect(g, secured)
        reply = await client.send("POST", PATH, body)
        await trio.sleep(5)
        assert g.provider.open == 1
        left = trio.current_time()
        await (client.reset(reply) if how == "reset" else client.leave())
        await wait_all_tasks_blocked()
        assert g.provider.closed_at == [left]
        assert [line["ending"] for line in g.log] == ["client left"]
        assert client.done is not None
        assert client.done.is_set() == (how == "close")
        await client.leave()


@pytest.mark.parametrize("how", ["HTTP/1.1", "h2c", "TLS"])
async def test_a_client_that_leaves_while_its_login_is_refreshed(
    how: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The provider is never asked; the refresh is not the request's, and goes on (its own tests show that)."""

    async def refreshing(model: Model, override: str | None) -> Credential:
        await trio.sleep_forever()
        raise AssertionError

    async with gateway(tmp_path, hello) as g:
        g.engine.exchange.providers._credential = refreshing
        client = g.client() if how == "HTTP/1.1" else await connect(g, how == "TLS")
        await client.send("POST", PATH, STREAM)
        await trio.sleep(5)
        assert len(g.engine.exchange) == 1
        await client.leave()
        await wait_all_tasks_blocked()
        assert (g.provider.opened, len(g.engine.exchange)) == (0, 0)
        assert [line["ending"] for line in g.log] == ["client left"]


@BOTH
async def test_one_reset_among_many_stops_only_its_own_upstream(
    secured: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Twenty streams on one connection; each reset closes one provider connection, the rest go on to their end."""

    async def ten_seconds(talk: Conversation) -> None:
        await talk.head()
        for number in range(10):
            await talk.data(chunk(content=f"{number} "))
            await trio.sleep(1)
        await talk.data(chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, ten_seconds) as g:
        client = await connect(g, secured)
        replies = [await client.send("POST", PATH, STREAM) for _ in range(20)]
        await trio.sleep(3.5)
        assert g.provider.open == 20
        for count, number in enumerate((7, 0, 19), start=1):
            at = trio.current_time()
            await client.reset(replies.pop(number if number < len(replies) else -1))
            await wait_all_tasks_blocked()
            assert (g.provider.open, len(g.provider.closed_at), g.provider.closed_at[-1]) == (20 - count, count, at)
            await trio.sleep(1)
        await client.until(lambda: all(reply.complete for reply in replies))
        assert {reply.text for reply in replies} == {"0 1 2 3 4 5 6 7 8 9 "}
        assert all(reply.frames[-1] == "[DONE]" for reply in replies)
        await wait_all_tasks_blocked()
        endings = [line["ending"] for line in g.log]
        assert (endings.count("client left"), endings.count("done")) == (3, 17)
        await client.leave()


async def _in_turn(client: H2Client) -> Stream:
    """Ask, and let nobody else ask before this one has its place or waits for it."""
    reply = await client.send("POST", PATH, STREAM)
    await wait_all_tasks_blocked()
    return reply


async def test_a_reset_while_waiting_for_a_place(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The provider is never asked for it, and who stood behind it moves up."""
    async with gateway(tmp_path, between_events, flags={"max_concurrency": 1}) as g:
        client = await g.h2()
        first, second, third = [await _in_turn(client) for _ in range(3)]
        await client.reset(second)
        await wait_all_tasks_blocked()
        assert (g.provider.opened, g.engine.exchange.places.waiting) == (1, 1)
        await client.reset(first)
        await client.until(lambda: third.body)
        assert g.provider.opened == 2
        await client.leave()


async def test_a_deadline_is_an_error_frame_and_an_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Before the head a 504, in mid-stream a frame, and the other streams of the connection do not notice."""
    async with gateway(tmp_path, between_events, flags={"idle_timeout_sec": 20, "total_timeout_sec": 30}) as g:
        client = await g.h2()
        stream, whole = await client.send("POST", PATH, STREAM), await client.send("POST", PATH, CHAT)
        await client.until(lambda: stream.complete and whole.complete)
        assert (stream.frames[-2]["error"]["code"], stream.frames[-1]) == ("timeout", "[DONE]")
        assert (whole.status, whole.json["error"]["code"]) == (504, "timeout")
        assert (await client.ask("GET", "/health")).status == 200
        await client.leave()


async def test_a_stream_that_is_not_read_holds_its_provider_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its window is the limit, then nothing more is pulled; after the stall time only that stream is reset."""
    async with gateway(tmp_path, hello) as g:
        g.engine.exchange.providers._upstream = endless = Endless()
        client = await g.h2(stall=30, reads=False)
        reply = await client.send("POST", PATH, STREAM)
        start = trio.current_time()
        await trio.sleep(29)
        assert len(reply.body) == client.window
        assert endless.given * 10_000 < client.window + 60_000
        await client.credit(reply, 20_000)
        await trio.sleep(29)
        assert (len(reply.body), reply.reset, endless.closed_at) == (client.window + 20_000, None, None)
        await client.until(lambda: reply.reset is not None)
        await wait_all_tasks_blocked()
        assert reply.reset == 8
        assert endless.closed_at == pytest.approx(start + 29 + 30)
        assert [(line["ending"], line["error"]) for line in g.log] == [("deadline", "The client has stopped reading.")]
        assert (await client.ask("GET", "/health")).status == 200
        await client.leave()


async def test_a_large_whole_answer_passes_a_small_window(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It takes as long as the client takes, which is no stall."""

    async def large(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="x" * 200_000), chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, large) as g:
        client = await g.h2(stall=30, reads=False)
        reply = await client.send("POST", PATH, CHAT)
        while not reply.complete:
            await trio.sleep(20)
            if not reply.complete:
                await client.credit(reply, 30_000)
        assert len(reply.json["choices"][0]["message"]["content"]) == 200_000
        await client.leave()


@BOTH
@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_client_that_leaves_with_an_answer_on_its_way(
    how: str, secured: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What waits for credit that will never come is dropped in that instant; no task stays for it."""

    async def long(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="x" * 20_000), chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, long) as g:
        client = await g.h2(tls=write_tls(g.directory) if secured else None, stall=inf, reads=False, window=1000)
        replies = [await client.send("POST", PATH, CHAT), await client.send("POST", PATH, STREAM)]
        await trio.sleep(5)
        assert [len(reply.body) for reply in replies] == [1000, 1000]
        left = trio.current_time()
        if how == "reset":
            for reply in replies:
                await client.reset(reply)
            await wait_all_tasks_blocked()
            assert len(g.log) == 2
            assert (await client.ask("GET", "/health")).status == 200
        await client.leave()
        assert client.done is not None
        await client.done.wait()
        assert trio.current_time() == left


async def test_a_reset_while_its_head_waits_to_be_sent_disturbs_nobody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The head is sent all the same: without it the client could read no other one any more (HPACK)."""
    async with gateway(tmp_path, hello) as g:
        connection = g.client(protocol="h2")
        client = await H2Client(connection.stream, g.nursery, done=connection.server_done).start()
        await client.ask("GET", "/health")
        may_send = trio.Event()
        connection._theirs.send_stream.send_all_hook = may_send.wait
        first, second = await client.send("GET", "/health"), await client.send("GET", "/health")
        await wait_all_tasks_blocked()
        await client.reset(second)
        await wait_all_tasks_blocked()
        may_send.set()
        assert (await client.ask("GET", "/health")).status == 200
        assert (first.status, first.complete) == (200, True)
        await client.leave()


async def test_an_app_that_fails_in_mid_answer(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its stream is reset, so that what has come does not pass for all of it; the connection goes on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": scope["path"] == "/half"})

    async with trio.open_nursery() as nursery:
        connection = Client(app, nursery, protocol_config(idle_connection=75))
        client = await H2Client(connection.stream, nursery, done=connection.server_done).start()
        half, whole = await client.ask("GET", "/half"), await client.ask("GET", "/whole")
        assert (half.complete, half.reset) == (False, 2)
        assert (whole.complete, whole.reset, whole.body) == (True, None, b"half")
        await client.leave()


async def test_a_body_after_its_answer_disturbs_nobody(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is read and thrown away; beyond the bound the stream is reset with NO_ERROR, and others go on."""
    monkeypatch.setattr(http2, "MAX_UNREAD", 10)
    async with gateway(tmp_path, hello) as g:
        client = await g.h2()
        refused = await client.send("POST", "/nope", b"x", end=False)
        await client.until(lambda: refused.complete)
        assert refused.status == 404
        await client.more(refused, b"more")
        assert (await client.ask("GET", "/health")).status == 200
        assert refused.reset is None
        await client.more(refused, b"and more")
        await client.until(lambda: refused.reset is not None)
        assert refused.reset == 0
        assert (await client.ask("POST", PATH, STREAM)).text == "Hello"
        await client.leave()


async def test_a_body_that_is_too_large_disturbs_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its 413 arrives although the client goes on sending, and other streams of the connection are served."""
    async with gateway(tmp_path, hello, flags={"max_body_size_mb": 0.5}) as g:
        client = await g.h2()
        large = await client.send("POST", PATH, b"{", end=False)
        for _ in range(300):
            while client.http.local_flow_control_window(large.id) < 10_000:
                await wait_all_tasks_blocked()
            await client.more(large, b"x" * 10_000)
        await client.until(lambda: large.complete)
        assert (large.status, large.json["error"]["code"]) == (413, "request_too_large")
        assert (await client.ask("POST", PATH, STREAM)).text == "Hello"
        await client.leave()


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
async def test_requests_that_cannot_be_served_are_reset(method: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A path that is not ASCII, and a tunnel; the connection goes on."""
    async with gateway(tmp_path, hello) as g:
        client = await g.h2()
        reply = await client.ask(method, "/v1/mod\u00e8les")
        assert reply.reset == 1
        assert (await client.ask("GET", "/health")).status == 200
        await client.leave()


@BOTH
async def test_idle_connections_are_closed(secured: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """After the configured time, as over HTTP/1.1; a stream that runs is not idle."""

    async def slow(talk: Conversation) -> None:
        await trio.sleep(100)
        await hello(talk)

    async with gateway(tmp_path, slow, idle_connection=30) as g:
        client = await connect(g, secured)
        assert (await client.ask("POST", PATH, STREAM)).text == "Hello"
        start = trio.current_time()
        assert client.done is not None
        await client.done.wait()
        assert trio.current_time() - start == pytest.approx(30)
        await client.leave()


async def test_tls_serves_http1_to_whoever_wants_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    """ALPN decides; leaving closes the upstream there too."""
    tls = write_tls(tmp_path)
    async with gateway(tmp_path, between_events) as g:
        client = g.client(tls=tls)
        assert (await client.ask("GET", "/health")).status == 200
        await client.send("POST", PATH, STREAM)
        await trio.sleep(5)
        left = trio.current_time()
        await client.leave()
        await wait_all_tasks_blocked()
        assert (g.provider.closed_at, client.server_done.is_set()) == ([left], True)
