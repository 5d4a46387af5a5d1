"""Providers that never end: what they fill, and who ends them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
from fakes.breaking import APIS, WAIT, Breaking, body, breaking
from fakes.client import Client
from fakes.faults import Plan, chunk, head, samples
from fakes.line import Peer
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.exchange import delivery
from piproxy.exchange.deadlines import ERROR_BODY
from piproxy.framing.sse import MAX_FRAME

API = "openai-completions"
WORD = b'data: {"id":"up","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % (b"word " * 200)
STREAM = head("text/event-stream", b"transfer-encoding: chunked")


@dataclass(frozen=True, kw_only=True)
class Endless(Plan):
    """After its pieces the same bytes again and again."""

    again: bytes
    every: float = 0.0

    async def play(self, peer: Peer) -> None:
        await peer.request()
        await peer.say(*self.pieces)
        while True:
            await peer.say(self.again)
            if self.every:
                await trio.sleep(self.every)


async def ask(b: Breaking, plan: Plan, *, stream: bool, api: str = API) -> tuple[int, str]:
    """Status and error code of a request that must fail, with nothing left of it."""
    b.lines.plan = plan
    reply = await b.client.ask("POST", "/v1/chat/completions", body(api, stream=stream))
    await wait_all_tasks_blocked()
    b.check_nothing_left()
    assert b.idle == 0
    error = (reply.frames[-2] if reply.status == 200 else reply.json)["error"]
    return reply.status, error["code"]


async def good(b: Breaking, api: str = API) -> None:
    b.asked = len(b.gateway.lines)
    await b.good(next(sample for sample in samples(api) if not sample.fails))


async def test_a_whole_answer_that_never_ends(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up before it fills the memory, and its connection is closed."""
    monkeypatch.setattr(delivery, "MAX_WHOLE", 1_000_000)
    async with breaking(tmp_path, "h1") as b:
        plan = Endless(pieces=(STREAM,), again=chunk(WORD))
        assert await ask(b, plan, stream=False) == (502, "upstream_protocol_error")
        assert b.lines.peers[-1].down.total < 1_200_000
        await good(b)


@pytest.mark.parametrize("protocol", ["h1", "h2"])
async def test_a_stream_that_never_ends_belongs_to_its_client(
    protocol: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It flows as long as somebody reads; when the client leaves, it is closed in that instant."""
    async with breaking(tmp_path, "h1") as b:
        b.lines.plan = Endless(pieces=(STREAM,), again=chunk(WORD))
        client = b.gateway.client() if protocol == "h1" else await b.gateway.h2()
        asked = ("POST", "/v1/chat/completions", body(API, stream=True))
        if isinstance(client, Client):
            await client.send(*asked)
            reply = await client.head()
            while len(reply.body) < 3_000_000:
                await client.more(reply)
        else:
            answer = await client.send(*asked)
            await client.until(lambda: len(answer.body) > 3_000_000)
        await client.leave()
        await wait_all_tasks_blocked()
        assert b.lines.open == 0
        b.check_nothing_left()
        await good(b)


@pytest.mark.parametrize("api", APIS)
async def test_a_frame_that_never_ends(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Tens of megabytes without an end are an error in every room."""
    kind = next(
        sample for sample in samples(api) if not sample.fails and not sample.name.endswith(".json")
    ).content_type
    async with breaking(tmp_path, "h1") as b:
        first = chunk(b"data: {" if "event-stream" in kind and "amazon" not in kind else b"")
        plan = Endless(pieces=(head(kind, b"transfer-encoding: chunked"), first), again=chunk(b'"x' * 32_000))
        assert await ask(b, plan, stream=True, api=api) == (502, "upstream_protocol_error")
        assert b.lines.peers[-1].down.total < 1.1 * MAX_FRAME
        await good(b, api)


@pytest.mark.parametrize("stream", [True, False])
async def test_comments_for_ever(stream: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A provider that only says that it is there lives as long as the total allows, and no error comes before."""
    async with breaking(tmp_path, "h1") as b:
        b.gateway.engine.exchange.limits = replace(b.gateway.engine.exchange.limits, total=100)
        plan = Endless(pieces=(STREAM,), again=chunk(b": thinking\n\n"), every=WAIT / 2)
        start = trio.current_time()
        status, code = await ask(b, plan, stream=stream)
        assert (status, code) == (200 if stream else 504, "timeout")
        assert trio.current_time() - start == pytest.approx(100)
        await good(b)


@pytest.mark.parametrize(
    ("pieces", "again", "status", "code"),
    [
        ((), b"HTTP/1.1 100 Continue\r\n\r\n", 504, "timeout"),
        ((b"HTTP/1.1 200 OK\r\n",), b"x: y\r\n", 504, "timeout"),
        ((STREAM, b"0\r\n"), b"x: y\r\n", 504, "timeout"),
        ((head("text/plain", status=b"500 Oops"),), b"x" * 1000, 502, "upstream_error"),
    ],
    ids=["continues", "headers", "trailers", "an error page"],
)
async def test_drops_that_never_make_an_answer(
    pieces: tuple[bytes, ...], again: bytes, status: int, code: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Bytes that bring nothing put off no deadline."""
    async with breaking(tmp_path, "h1") as b:
        start = trio.current_time()
        assert await ask(b, Endless(pieces=pieces, again=again, every=0.1), stream=True) == (status, code)
        assert trio.current_time() - start == pytest.approx(WAIT if status == 504 else ERROR_BODY)
        await good(b)
