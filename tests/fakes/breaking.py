"""A gateway in front of a provider that breaks as planned, and the exact count of what is left of each request."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakes.gateway
import pytest
import trio
from fakes.client import Client, Reply
from fakes.faults import Plan, Sample, Verdict, answer, parsed, verdict
from fakes.gateway import Gateway, gateway
from fakes.h2client import H2Client
from fakes.line import Lines, Peer
from trio.testing import wait_all_tasks_blocked

from piproxy.errors import UpstreamUnreachable
from piproxy.openai.decode import decode
from piproxy.upstream.connections import Origin
from piproxy.wire.rooms import ROOMS

APIS = [api for api in ROOMS if api != "demo"]
WAIT = 5.0
"""Seconds of every deadline."""
FLAGS = {"connect_timeout_sec": WAIT, "first_byte_timeout_sec": WAIT, "idle_timeout_sec": WAIT}
_CLAIMS = (
    base64.urlsafe_b64encode(b'{"https://api.openai.com/auth":{"chatgpt_account_id":"acct"}}').rstrip(b"=").decode()
)
ORIGIN = " (The credential came from models.json.)"
"""What is added to the words of a provider that refuses it."""
KEY = f"sk-fake-secret.{_CLAIMS}.s"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("get_weather", "get_time")]
MODELS = {
    "providers": {
        f"p-{api}": {
            "baseUrl": f"http://{api}.test/v1",
            "api": api,
            "apiKey": KEY,
            "models": [{"id": "m", "reasoning": True}],
        }
        for api in APIS
    }
}


def body(api: str, *, stream: bool) -> dict[str, Any]:
    """The request that the samples answer."""
    asked = {"model": f"p-{api}/m", "tools": TOOLS, "messages": [{"role": "user", "content": "Weather and time?"}]}
    return {**asked, "stream": True, "stream_options": {"include_usage": True}} if stream else asked


@dataclass
class BreakingLines(Lines):
    """Lines whose provider does what :attr:`plan` says, request after request."""

    plan: Plan = field(default_factory=Plan)

    async def connect(self, origin: Origin) -> trio.abc.Stream:
        if self.plan.connects:
            return await super().connect(origin)
        if self.plan.given == "never":
            await trio.sleep_forever()
        raise UpstreamUnreachable(f"Could not connect to {origin.netloc}: Connection refused.")


def tasks() -> int:
    """All tasks of this run."""
    count, todo = 0, [trio.lowlevel.current_root_task()]
    while todo:
        task = todo.pop()
        if task is not None:
            count += 1
            todo += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


@dataclass
class Breaking:
    """One client connection, one API after the other."""

    gateway: Gateway
    lines: BreakingLines
    client: Client | H2Client
    tasks: int = 0
    asked: int = 0

    @property
    def idle(self) -> int:
        """Connections in the pool."""
        upstream: Any = self.gateway.engine.exchange.providers._upstream
        pool = upstream._http._pool
        return sum(len(idle) for idle in pool._idle.values())

    async def ends_itself(self, sample: Sample) -> bool:
        """Does the sample say that it is complete, or does only the connection's end?"""
        return (await self.right(answer(sample, sample.body, given="silent"), sample)).complete

    async def right(self, plan: Plan, sample: Sample) -> Verdict:
        """What the client must see."""
        asked = json.dumps(body(sample.api, stream=True)).encode()
        decoded = decode(asked, strictness="strict", remote_images=False)
        model = (await self.gateway.engine.exposure()).resolve(f"p-{sample.api}/m")
        return verdict(plan, sample, decoded.chat, model)

    async def play(self, plan: Plan, sample: Sample, *, stream: bool, right: Verdict | None = None) -> Reply:
        """One request: its answer is the right one, and nothing is left of it."""
        self.lines.plan = plan
        if not plan.connects:
            for peer in self.lines.peers:
                peer.end()  # so that nobody can do without a new connection
        right = right or await self.right(plan, sample)
        reply = await self.client.ask("POST", "/v1/chat/completions", body(sample.api, stream=stream))
        await wait_all_tasks_blocked()
        self.asked += 1
        check(reply, right, stream=stream)
        self.check_log(right)
        self.check_nothing_left()
        return reply

    async def good(self, sample: Sample, *, stream: bool = True) -> None:
        """A request that nothing is wrong with."""
        reply = await self.play(answer(sample, sample.body), sample, stream=stream)
        assert reply.status == 200

    def check_log(self, right: Verdict) -> None:
        line = json.loads(self.gateway.lines[-1])
        assert (line["event"], len(self.gateway.lines)) == ("request", self.asked)
        ending = line["ending"]
        if right.error is None:
            assert ending == "done"
        elif right.error.status == 504 and right.error.code == "timeout":
            assert ending == "deadline"
        else:
            assert ending == ("refused" if right.error.status < 500 else "upstream failed")
        assert KEY not in self.gateway.lines[-1]

    def check_nothing_left(self) -> None:
        exchange = self.gateway.engine.exchange
        assert len(exchange) == 0
        assert exchange.places.taken == exchange.places.waiting == 0
        assert self.lines.open == self.idle, "a connection is open that is not in the pool"
        assert self.idle <= 1
        assert tasks() == self.tasks + self.lines.open, "a task is left"


def check(reply: Reply, right: Verdict, *, stream: bool) -> None:
    """The right status before the head; the right frames, one error among them, and the end after it."""
    assert reply.complete
    error = right.error
    if error is not None and (not stream or not right.events):
        assert reply.status == error.status, reply.body
        assert reply.headers["content-type"] == "application/json"
        shown = reply.json["error"]
        for name, value in error.headers.items():
            assert reply.headers[name] == value
    elif stream:
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        frames, expected = parsed(reply.body), right.stream()
        errors = [frame["error"] for frame in frames if "error" in frame]
        shown = errors[0] if errors else None
        assert len(errors) == (error is not None)
        assert frames[-1] == "[DONE]"
        assert frames.count("[DONE]") == 1
        assert [said(frame) for frame in frames] == [said(frame) for frame in expected]
        if error is not None:
            assert "error" in frames[-2]
    else:
        assert reply.status == 200, reply.body
        shown, whole = None, json.loads(right.whole())
        assert said(reply.json) == said(whole)
    if error is not None:
        assert shown is not None
        assert set(shown) >= {"message", "type", "param", "code"}
        assert (shown["type"], shown["code"]) == (error.type, error.code)
        assert shown["message"]
        if error.message != "-":
            assert shown["message"] == error.message + (ORIGIN if error.code == "upstream_auth_error" else "")


def said(frame: Any) -> Any:
    """What a frame says, without what is its own: ids, also those that a room makes up for tool calls, and the cost."""
    if frame == "[DONE]":
        return frame
    choices = json.dumps(frame.get("choices"))
    return re.sub(r'"id": "[^"]+"', '"id": "…"', choices), unpriced(frame), "error" in frame


def unpriced(frame: Any) -> Any:
    usage = frame.get("usage")
    return usage and {name: value for name, value in usage.items() if name != "cost"}


@asynccontextmanager
async def breaking(directory: Path, protocol: str, **flags: Any) -> AsyncIterator[Breaking]:
    """A served gateway and one client; at the end nothing is left at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fakes.gateway, "Provider", BreakingLines)

        async def script(peer: Peer) -> None:
            lines: Any = g.provider
            while await peer.asked():
                await lines.plan.play(peer)

        async with gateway(directory, script, models=MODELS, flags={**FLAGS, **flags}) as g:  # type: ignore[arg-type]
            lines: Any = g.provider
            alone = tasks()
            client = await g.h2() if protocol == "h2" else g.client()
            b = Breaking(g, lines, client)
            await client.ask("GET", "/health")
            await wait_all_tasks_blocked()
            b.tasks, b.asked = tasks(), len(g.lines)
            yield b
            await client.leave()
            await wait_all_tasks_blocked()
            assert tasks() == alone + lines.open, "a client is gone, its tasks are not"
