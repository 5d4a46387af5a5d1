"""The demo provider played on trio."""

from __future__ import annotations

import pytest
import trio
from fakes.demo import MODELS, ask
from trio.testing import MockClock

from piproxy.chat import Chat
from piproxy.errors import UpstreamBroken, UpstreamUnreachable
from piproxy.upstream.demo import WithDemo
from piproxy.upstream.http import Http
from piproxy.wire.demo.request import build_request
from piproxy.wire.room import Options


async def talk(chat: Chat) -> tuple[int, list[tuple[float, bytes]]]:
    """Status, and when which bytes came."""
    request = build_request(chat, MODELS[chat.model.removeprefix("demo/")], Options())
    got: list[tuple[float, bytes]] = []
    start = trio.current_time()
    async with (
        Http() as http,
        WithDemo(http).stream(request.method, request.url, headers={}, body=request.body) as answer,
    ):
        while data := await answer.read():
            got.append((trio.current_time() - start, data))
    return answer.status, got


async def test_answer_is_played_to_its_end() -> None:
    """Every event is one read, then come no more bytes."""
    status, got = await talk(ask("Hi"))
    assert status == 200
    assert [data.partition(b"\n")[0] for _, data in got] == [
        b"event: start",
        *[b"event: text"] * 6,
        b"event: usage",
        b"event: stop",
    ]


async def test_slowness_takes_time(autojump_clock: MockClock) -> None:
    """Half a second passes before each word."""
    _, got = await talk(ask("Hi", "slow"))
    assert [round(at, 3) for at, _ in got] == [0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]


async def test_break_is_an_error() -> None:
    """A connection that breaks off raises in the middle of the answer."""
    with pytest.raises(UpstreamBroken):
        await talk(ask("Hi", "break"))


async def test_no_answer_is_an_error() -> None:
    """A connection that is closed at once never gives an answer."""
    with pytest.raises(UpstreamUnreachable):
        await talk(ask("Hi", "unreachable"))


@pytest.mark.parametrize("model", ["hang", "silent"])
async def test_silence_lasts_until_somebody_leaves(model: str, autojump_clock: MockClock) -> None:
    """A silent provider is silent for ever; who waits for it can be cancelled."""
    with trio.move_on_after(3600) as scope:
        await talk(ask("Hi", model))
    assert scope.cancelled_caught


async def test_other_addresses_go_to_the_network() -> None:
    """Only ``demo:`` is played here."""
    async with Http() as http:
        with pytest.raises(UpstreamUnreachable):
            async with WithDemo(http).stream("POST", "http://127.0.0.1:1/", headers={}, body=b""):
                raise AssertionError("nobody listens there")
