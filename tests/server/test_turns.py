"""Streams of one HTTP/2 connection take turns, however many there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.gateway import gateway
from fakes.provider import Conversation
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.server.serving import protocol_config
from piproxy.server.turns import Turns

PATH = "/v1/chat/completions"


async def nobody(talk: Conversation) -> None:
    raise AssertionError


def test_all_take_turns() -> None:
    """One after the other; who is blocked is left out, and comes last when it is back."""
    turns = Turns()
    for number in (1, 3, 5):
        turns.insert_stream(number)
    assert [turns.turn() for _ in range(4)] == [1, 3, 5, 1]
    turns.block(3)
    assert [turns.turn() for _ in range(3)] == [5, 1, 5]
    turns.unblock(3)
    turns.unblock(3)
    assert [turns.turn() for _ in range(4)] == [1, 5, 3, 1]
    for number in (1, 3, 5):
        turns.block(number)
    assert turns.turn() is None


def test_who_has_gone_has_no_turn() -> None:
    """Nor does it get one back."""
    turns = Turns()
    turns.insert_stream(1)
    turns.insert_stream(3)
    turns.remove_stream(1)
    assert [turns.turn(), turns.turn()] == [3, 3]
    turns.remove_stream(3)
    turns.remove_stream(3)
    assert turns.turn() is None
    with pytest.raises(KeyError):
        turns.unblock(1)


async def test_as_many_streams_at_once_as_are_granted(tmp_path: Path, autojump_clock: MockClock) -> None:
    """All of them are open before the first one goes on, and each has its answer."""
    granted = protocol_config(idle_connection=75).h2_max_concurrent_streams
    async with gateway(tmp_path, nobody) as g:
        client = await g.h2()
        await client.ask("GET", "/health")
        assert client.http.remote_settings.max_concurrent_streams == granted
        replies = [await client.send("POST", PATH, b"{", end=False) for _ in range(granted)]
        for reply in replies:
            await client.more(reply, b"", end=True)
        await client.until(lambda: all(reply.complete for reply in replies))
        assert {(reply.status, reply.reset) for reply in replies} == {(400, None)}
        await client.leave()


async def test_priorities_are_nobodys_business(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Of streams that never come, and in circles; the connection goes on (RFC 9113, 5.3.2)."""
    async with gateway(tmp_path, nobody) as g:
        client = await g.h2()
        for stream, other in ((3, 5), (5, 3), *((number, 0) for number in range(7, 4007, 2))):
            client.http.prioritize(stream, depends_on=other, exclusive=True)
        for _ in range(3):
            assert (await client.ask("GET", "/health")).status == 200
        await wait_all_tasks_blocked()
        assert len(g.lines) == 3
        await client.leave()
