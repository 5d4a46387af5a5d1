"""Quart-Trio and Hypercorn on memory streams and a virtual clock: each measured fact that the server is built for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
from fakes.gateway import CHAT, gateway
from fakes.phases import PHASES, before_headers, between_events
from fakes.provider import DONE, Conversation, Script, chunk
from trio.testing import MockClock, wait_all_tasks_blocked

STREAM = {**CHAT, "stream": True}


async def hello(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(role="assistant", content="Hel"), chunk(content="lo"), chunk(finish_reason="stop"), DONE)
    await talk.end()


async def test_a_stream_and_a_whole_answer_say_the_same(tmp_path: Path, autojump_clock: MockClock) -> None:
    """One parser, two forms; the second request uses the first one's connection on both sides."""
    async with gateway(tmp_path, hello) as g:
        client = g.client()
        streamed = await client.ask("POST", "/v1/chat/completions", STREAM)
        whole = await client.ask("POST", "/v1/chat/completions", CHAT)
        assert streamed.text == whole.json["choices"][0]["message"]["content"] == "Hello"
        await wait_all_tasks_blocked()
        assert [line["ending"] for line in g.log] == ["done", "done"]
        assert g.provider.asked[0].headers["authorization"].startswith("Bearer sk-fake")
        assert [asked.target for asked in g.provider.asked] == ["/v1/chat/completions"] * 2
        assert g.provider.opened == 1
        await client.leave()


async def test_a_provider_that_keeps_its_answer_open_holds_nothing_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """All frames, [DONE] among them, have reached the client before anybody waits for the provider's end."""

    async def open_ended(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="a"), chunk(finish_reason="stop"), DONE)
        await trio.sleep_forever()

    async with gateway(tmp_path, open_ended) as g:
        client = g.client()
        start = trio.current_time()
        reply = await client.ask("POST", "/v1/chat/completions", STREAM)
        assert reply.frames[-1] == "[DONE]"
        assert set(reply.times) == {start}
        await client.leave()


@pytest.mark.parametrize("script", PHASES)
@pytest.mark.parametrize("body", [STREAM, CHAT], ids=["stream", "whole"])
async def test_a_client_that_leaves_ends_the_upstream_in_that_instant(
    script: Script, body: dict[str, object], tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Through Hypercorn and Quart-Trio, no virtual time passes; the log says who ended it."""
    async with gateway(tmp_path, script) as g:
        client = g.client()
        await client.send("POST", "/v1/chat/completions", body)
        await trio.sleep(5)
        assert g.provider.open == 1
        left = trio.current_time()
        await client.leave()
        await wait_all_tasks_blocked()
        assert g.provider.closed_at == [left]
        assert [line["ending"] for line in g.log] == ["client left"]
        assert client.server_done.is_set()


async def test_what_a_client_that_left_has_used_is_recorded(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The provider's own counts where it gives them early, the rest by characters; marked as partial."""
    start = {"type": "message", "id": "msg_1", "role": "assistant", "model": "c", "content": []}
    usage = {"input_tokens": 100, "cache_read_input_tokens": 50, "output_tokens": 1}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": {**start, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 350}},
    ]

    async def anthropic(talk: Conversation) -> None:
        await talk.head()
        for event in events:
            await talk.data(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await trio.sleep_forever()

    price = {"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0}
    claude = {"id": "m", "cost": price, "maxTokens": 1000}
    provider = {"baseUrl": "http://provider.test", "api": "anthropic-messages", "apiKey": "k", "models": [claude]}
    async with gateway(tmp_path, anthropic, models={"providers": {"fake": provider}}) as g:
        client = g.client()
        await client.send("POST", "/v1/chat/completions", STREAM)
        await trio.sleep(5)
        await client.leave()
        await wait_all_tasks_blocked()
        (line,) = g.log
        assert (line["ending"], line["partial"]) == ("client left", True)
        assert (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"]) == (150, 50, 100)
        assert line["cost"] == pytest.approx((100 + 2 * 100) / 1_000_000)


async def test_a_client_that_leaves_before_its_body_is_there(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Nobody is asked."""
    async with gateway(tmp_path, hello) as g:
        client = g.client()
        await client.stream.send_all(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"
        )
        await wait_all_tasks_blocked()
        await client.leave()
        await wait_all_tasks_blocked()
        assert (g.provider.opened, client.server_done.is_set()) == (0, True)


async def test_a_long_stream_is_not_cut_by_a_response_timeout(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Quart's default would end it after 60 seconds without a word."""

    async def slow(talk: Conversation) -> None:
        await talk.head()
        for _ in range(10):
            await trio.sleep(30)
            await talk.data(chunk(content="a"))
        await talk.data(chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, slow) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", STREAM)
        assert (reply.text, reply.frames[-1]) == ("a" * 10, "[DONE]")
        await client.leave()


async def test_events_are_not_held_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Each is at the client in the second in which the provider sent it."""

    async def paced(talk: Conversation) -> None:
        await talk.head()
        for _ in range(3):
            await talk.data(chunk(content="a"))
            await trio.sleep(1)
        await talk.data(chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, paced) as g:
        client = g.client()
        start = trio.current_time()
        reply = await client.ask("POST", "/v1/chat/completions", STREAM)
        assert sorted({round(at - start) for at in reply.times}) == [0, 1, 2, 3]
        await client.leave()


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
async def test_idle_connections_are_closed(path: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """After the configured time; under plain Quart-Trio they stay open for ever."""
    async with gateway(tmp_path, hello, idle_connection=30) as g:
        client = g.client()
        await client.ask("GET", path)
        start = trio.current_time()
        assert await client.stream.receive_some(1) == b""
        assert trio.current_time() - start == pytest.approx(30)
        await client.leave()


async def test_an_idle_connection_after_a_stream_is_closed_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The chat's own nursery does not take the idle timer with it."""
    async with gateway(tmp_path, hello, idle_connection=30) as g:
        client = g.client()
        await client.ask("POST", "/v1/chat/completions", STREAM)
        start = trio.current_time()
        assert await client.stream.receive_some(1) == b""
        assert trio.current_time() - start == pytest.approx(30)
        await client.leave()


async def test_a_deadline_before_the_head_is_a_504(tmp_path: Path, autojump_clock: MockClock) -> None:
    """For a whole answer the status is open to the end."""
    async with gateway(tmp_path, before_headers, flags={"first_byte_timeout_sec": 20}) as g:
        client = g.client()
        start = trio.current_time()
        reply = await client.ask("POST", "/v1/chat/completions", CHAT)
        assert (reply.status, reply.json["error"]["code"]) == (504, "timeout")
        assert trio.current_time() - start == pytest.approx(20)
        await wait_all_tasks_blocked()
        assert [line["ending"] for line in g.log] == ["deadline"]
        await client.leave()


async def test_a_deadline_in_mid_stream_is_an_error_frame_and_done(tmp_path: Path, autojump_clock: MockClock) -> None:
    """One error frame, then [DONE], then the body ends properly."""
    async with gateway(tmp_path, between_events, flags={"idle_timeout_sec": 20}) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", STREAM)
        *_, error, done = reply.frames
        assert (reply.status, error["error"]["code"], done, reply.complete) == (200, "timeout", "[DONE]", True)
        await client.leave()


async def test_a_bug_is_a_500_that_tells_nothing(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client learns no detail, the log has the trace, the next request works."""
    async with gateway(tmp_path, hello) as g:
        client = g.client()
        with monkeypatch.context() as patch:
            patch.setattr("piproxy.server.chat.read", lambda *_, **__: 1 / 0)
            reply = await client.ask("POST", "/v1/chat/completions", CHAT)
        assert (reply.status, reply.json["error"]["code"]) == (500, "internal_error")
        assert "ZeroDivision" not in reply.body.decode()
        await wait_all_tasks_blocked()
        assert any("ZeroDivisionError" in line for line in g.lines)
        assert (await client.ask("POST", "/v1/chat/completions", CHAT)).status == 200
        await client.leave()
