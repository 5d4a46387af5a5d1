"""Many at once: the limit, its queue, and a thousand streams."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from fakes.client import Reply
from fakes.gateway import CHAT, Gateway, gateway
from fakes.provider import DONE, Conversation, chunk
from trio.testing import MockClock, wait_all_tasks_blocked

STREAM = {**CHAT, "stream": True}


async def forever(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a"))
    await trio.sleep_forever()


async def three_seconds(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a"))
    await trio.sleep(3)
    await talk.data(chunk(finish_reason="stop"), DONE)
    await talk.end()


@pytest.mark.parametrize("body", [STREAM, CHAT], ids=["stream", "whole"])
async def test_the_limit_bounds_what_is_at_the_provider(
    body: dict[str, object], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Two at once, two wait and are served later, the fifth is told 503 and when to come back."""
    async with gateway(tmp_path, three_seconds, flags={"max_concurrency": 2, "max_queue": 2}) as g:
        replies: list[tuple[float, Reply]] = []

        async def ask() -> None:
            client = g.client()
            reply = await client.ask("POST", "/v1/chat/completions", body)
            replies.append((round(trio.current_time() - start), reply))
            await client.leave()

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
                await wait_all_tasks_blocked()
            assert (g.provider.open, len(g.engine.exchange)) == (2, 4)
        assert [(at, reply.status) for at, reply in replies] == [(0, 503), (3, 200), (3, 200), (6, 200), (6, 200)]
        refused = replies[0][1]
        assert (refused.json["error"]["code"], refused.headers["retry-after"]) == ("overloaded", "1")
        assert g.provider.opened == 2
        await wait_all_tasks_blocked()
        assert sorted(line.get("queued", 0) for line in g.log) == [0, 0, 0, 3, 3]


@pytest.mark.parametrize("body", [STREAM, CHAT], ids=["stream", "whole"])
async def test_a_client_that_leaves_while_it_waits_frees_its_place(
    body: dict[str, object], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The provider is never asked for it; who stood behind it moves up."""
    async with gateway(tmp_path, forever, flags={"max_concurrency": 1, "max_queue": 2}) as g:
        clients = [g.client() for _ in range(3)]
        for client in clients:
            await client.send("POST", "/v1/chat/completions", body)
            await wait_all_tasks_blocked()
        places = g.engine.exchange.places
        assert (g.provider.opened, places.taken, places.waiting) == (1, 1, 2)
        left = trio.current_time()
        await clients[1].leave()
        await wait_all_tasks_blocked()
        assert (g.provider.opened, places.taken, places.waiting) == (1, 1, 1)
        assert [line["ending"] for line in g.log] == ["client left"]
        await clients[0].leave()
        await wait_all_tasks_blocked()
        assert (g.provider.opened, g.provider.closed_at, places.taken, places.waiting) == (2, [left], 1, 0)
        await clients[2].leave()
        await wait_all_tasks_blocked()
        assert (g.provider.closed_at, places.taken, len(g.engine.exchange)) == ([left, left], 0, 0)


async def test_a_stream_that_waits_is_kept_alive(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its head goes out after the usual hold, comments follow, and its own answer comes when it is its turn."""

    async def a_minute(talk: Conversation) -> None:
        await trio.sleep(60)
        await three_seconds(talk)

    flags = {"max_concurrency": 1}
    async with gateway(tmp_path, a_minute, flags=flags) as g:
        first, second = g.client(), g.client()
        await first.send("POST", "/v1/chat/completions", STREAM)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        reply = await second.ask("POST", "/v1/chat/completions", STREAM)
        assert (reply.status, reply.text, reply.body.count(b": keep-alive")) == (200, "a", 8)
        assert trio.current_time() - start == pytest.approx(126)
        await first.leave()
        await second.leave()


async def test_the_limit_is_read_again_with_the_settings(tmp_path: Path, autojump_clock: MockClock) -> None:
    """SIGHUP lets those in who wait, if there are more places now."""
    async with gateway(tmp_path, forever) as g:
        (tmp_path / "proxy-config.json").write_text('{"maxConcurrency": 1}')
        g.engine.reload()
        clients = [g.client() for _ in range(3)]
        for client in clients:
            await client.send("POST", "/v1/chat/completions", STREAM)
        await wait_all_tasks_blocked()
        assert g.provider.opened == 1
        (tmp_path / "proxy-config.json").write_text('{"maxConcurrency": 2}')
        g.engine.reload()
        await wait_all_tasks_blocked()
        assert g.provider.opened == 2
        for client in clients:
            await client.leave()
            await wait_all_tasks_blocked()


async def test_a_thousand_streams_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Each client gets every event of its own stream, in order, and nothing of another's."""
    streams, words = 1000, 4

    async def count(talk: Conversation) -> None:
        name = talk.asked.headers["authorization"].removeprefix("Bearer sk-")
        await talk.head()
        for number in range(words):
            await trio.sleep(1)
            await talk.data(chunk(content=f"{name}:{number} "))
        await talk.data(chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, count) as g:
        replies: dict[int, Reply] = {}

        async def ask(g: Gateway, number: int) -> None:
            client = g.client()
            key = {"x-pi-upstream-api-key": f"sk-{number}"}
            replies[number] = await client.ask("POST", "/v1/chat/completions", STREAM, **key)
            await client.leave()

        async with trio.open_nursery() as nursery:
            for number in range(streams):
                nursery.start_soon(ask, g, number)
            await trio.sleep(words - 0.5)
            assert (g.provider.open, len(g.engine.exchange)) == (streams, streams)
        for number, reply in replies.items():
            assert reply.text.split() == [f"{number}:{word}" for word in range(words)]
            assert (reply.status, reply.complete, reply.frames[-1]) == (200, True, "[DONE]")
        assert g.provider.opened == len(replies) == streams
