"""One line per request, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.gateway import CHAT, gateway
from fakes.provider import DONE, Conversation, chunk
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.errors import ShuttingDown
from piproxy.events import Usage
from piproxy.exchange import Ending, Record
from piproxy.openai.answer import Calls
from piproxy.server.log import Log


def record() -> Record:
    return Record(
        request_id="req_1",
        client_request_id="mine",
        method="POST",
        path="/v1/chat/completions",
        status=200,
        model="m",
        provider="p",
        api="openai-completions",
        stream=True,
        upstream_id="up-1",
        first_event=0.25,
        usage=Usage(input=10, output=5, cache_read=2, reasoning=1),
        cost=0.00123,
        dropped=("seed",),
    )


def test_a_line_for_programs() -> None:
    """Ids, model, status, times, tokens, cost and how it ended."""
    lines: list[str] = []
    Log("json", lines.append).request(record(), 1.5)
    told = json.loads(lines[0])
    assert told.pop("time")
    assert told == {
        "event": "request",
        "request_id": "req_1",
        "client_request_id": "mine",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "model": "m",
        "provider": "p",
        "api": "openai-completions",
        "stream": True,
        "seconds": 1.5,
        "first_event": 0.25,
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "cached_tokens": 2,
        "reasoning_tokens": 1,
        "cost": 0.00123,
        "dropped": ["seed"],
        "upstream_id": "up-1",
        "ending": "done",
    }


def test_a_line_for_people() -> None:
    """The same in one readable line."""
    lines: list[str] = []
    Log("human", lines.append).request(record(), 1.5)
    assert lines[0].split(" ", 1)[1] == (
        "POST /v1/chat/completions 200 p/m api=openai-completions 1.500s first=0.250s tokens=12+5 $0.001230 "
        "dropped=seed done req_1 client=mine upstream=up-1"
    )


def test_a_warning_reads_well() -> None:
    """In words for people, as a field for programs."""
    lines: list[str] = []
    for style in ("human", "json"):
        Log(style, lines.append).event("warning", what="the file is odd", count=3)
    assert lines[0].split(" ", 1)[1] == "warning: the file is odd count=3"
    assert {"event": "warning", "what": "the file is odd", "count": 3}.items() <= json.loads(lines[1]).items()


def test_a_line_stays_a_line() -> None:
    """Whatever a client or a provider writes."""
    lines: list[str] = []
    odd = Record(request_id="r", path="/a\nb", client_request_id="x\r\ny", error="no\n\x1b[31m", ending=Ending.REFUSED)
    for style in ("human", "json"):
        Log(style, lines.append).request(odd, 0.0)
        Log(style, lines.append).event("warning", what="a\nb\x1b[2J", count=3)
    assert len(lines) == 4
    assert not any(c in line for line in lines for c in "\n\r\x1b")


@pytest.mark.parametrize("streamed", [False, True])
async def test_content_is_not_logged(streamed: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Neither what the client said nor what the model said, nor the client's headers; one line for the request."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="answer-marker"), chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, script) as g:
        client = g.client()
        body = {**CHAT, "messages": [{"role": "user", "content": "question-marker"}], "stream": streamed}
        body |= {"user": "user-marker", "tools": [{"type": "function", "function": {"name": "tool-marker"}}]}
        assert (await client.ask("POST", "/v1/chat/completions", body, x_other="header-marker")).status == 200
        bad = {**body, "temperature": "value-marker", "messages": [{"role": "user", "content": "question-marker"}]}
        assert (await client.ask("POST", "/v1/chat/completions?key=query-marker", bad)).status == 400
        await client.leave()
        await wait_all_tasks_blocked()
        assert len(g.log) == 2
        assert not any("marker" in line for line in g.lines)


@pytest.mark.parametrize(
    ("ends", "status", "ending", "error"),
    [
        ("well", 200, "done", None),
        ("refused here", 400, "refused", "invalid_type: temperature"),
        ("refused there", 429, "refused", "The provider refused with status 429: rate_limit_exceeded."),
        ("failed there", 502, "upstream failed", "The provider refused with status 500: upstream_error."),
        ("cut off", 200, "upstream failed", "The provider's answer broke off in the middle of its chunks."),
        ("left", 200, "client left", None),
        ("silence", 200, "deadline", "The provider was silent for 120 s in the middle of its answer."),
        ("stop", 200, "shutdown", "piproxy is stopping."),
        ("bug", 200, "internal error", "piproxy itself failed; its log says more."),
    ],
)
async def test_every_ending_is_told(
    ends: str,
    status: int,
    ending: str,
    error: str | None,
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line per request, whatever became of it: what it was, how far it came, how it ended, and in our words why."""

    async def script(talk: Conversation) -> None:
        if ends.endswith("there"):
            await talk.json(429 if ends.startswith("refused") else 500, b'{"error": {"message": "words"}}')
            return
        await talk.head(x_request_id="up-1")
        await talk.data(chunk(content="a"))
        if ends == "cut off":
            await talk.break_off()
        elif ends in ("well", "bug"):
            await talk.data(chunk(content="b"), chunk(finish_reason="stop"), DONE)
            await talk.end()
        else:
            await trio.sleep_forever()

    async with gateway(tmp_path, script) as g:
        if ends == "bug":
            monkeypatch.setattr(Calls, "reason", lambda *_: 1 / 0)
        client = g.client()
        body: dict[str, Any] = {**CHAT, "stream": True, **({"temperature": "x"} if ends == "refused here" else {})}
        await client.send("POST", "/v1/chat/completions", body, x_client_request_id="mine")
        reply = await client.head()
        assert reply.status == status
        if ends == "stop":
            await client.more(reply)
            g.engine.exchange.end_all(ShuttingDown("piproxy is stopping."))
        if ends == "left":
            await client.more(reply)
        else:
            await client.rest(reply)
        await client.leave()
        await wait_all_tasks_blocked()
        (line,) = g.log
        assert (line["ending"], line.get("error"), line["status"]) == (ending, error, status)
        assert (line["method"], line["path"], line["client_request_id"]) == ("POST", "/v1/chat/completions", "mine")
        assert line["request_id"] == reply.headers["x-request-id"]
        if ends != "refused here":
            assert (line["model"], line["provider"], line["api"]) == ("m", "fake", "openai-completions")
        if status == 200:
            assert line["upstream_id"] == "up-1"
            assert 0 <= line["first_event"] <= line["seconds"]
        assert sum(json.loads(other)["event"] == "internal error" for other in g.lines) == (ends == "bug")
        (shown,) = [other for other in g.shown if "POST" in other]
        assert f" {ending.replace(' ', '-')} " in f"{shown} "
