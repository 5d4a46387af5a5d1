"""The work that every proxy is given, and what is noted about it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.request import urlopen

from benchmarks import load
from benchmarks.peers import Peer
from benchmarks.process import Process

CALL_TOKENS = 16
"""Tokens of a non-streaming answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running proxy, or the provider itself (``process`` is ``None``)."""

    name: str
    port: int
    model: str
    headers: dict[str, str]
    process: Process | None

    def ask(self, *, events: int, every: int = 0, tag: str = "x", stream: bool = False, image: int = 0) -> bytes:
        return load.request(self.model, self.headers, events=events, every=every, tag=tag, stream=stream, image=image)

    def cpu(self) -> float:
        return 0.0 if self.process is None else self.process.cpu()


def target(peer: Peer, port: int, upstream: str, process: Process) -> Target:
    return Target(peer.name, port, peer.model, dict(peer.headers(upstream)), process)


async def until_ready(proxy: Target, seconds: float = 120) -> float:
    """Ask until the first 200; seconds since the process was started."""
    process = proxy.process
    assert process is not None
    while time.monotonic() < process.started + seconds and process.alive:
        try:
            await load.calls(proxy.port, proxy.ask(events=1), count=1, connections=1, tokens=1)
        except (OSError, load.Broken):
            await asyncio.sleep(0.01)
        else:
            return time.monotonic() - process.started
    raise load.Broken(f"{proxy.name} does not start")


async def calls(proxy: Target, *, count: int, connections: int) -> dict[str, float]:
    """Non-streaming calls: milliseconds of CPU and of time per call."""
    before = proxy.cpu()
    asked = proxy.ask(events=CALL_TOKENS)
    taken = await load.calls(proxy.port, asked, count=count, connections=connections, tokens=CALL_TOKENS)
    return {"cpu": (proxy.cpu() - before) / count * 1000, "latency": median(taken) * 1000}


async def first_event(proxy: Target, *, count: int) -> dict[str, float]:
    """Milliseconds from the request to the first token of a stream."""
    taken = []
    connection = await load.connect(proxy.port)
    for _ in range(count):
        seen = await connection.ask(proxy.ask(events=CALL_TOKENS, stream=True))
        if seen.status != 200 or not seen.arrivals:
            raise load.Broken(f"status {seen.status}, no token: {seen.body!r}")
        taken.append((seen.arrivals[0] - seen.asked) * 1000)
        if connection.transport.is_closing():
            connection = await load.connect(proxy.port)
    connection.transport.close()
    return {"first": median(taken)}


async def streams(proxy: Target, *, count: int, events: int, every: int) -> dict[str, float]:
    """Paced streams: CPU while all of them run, and how far the gaps between tokens are from ``every`` ms."""
    asked = proxy.ask(events=events, every=every, stream=True)
    opened = proxy.cpu()
    began = time.monotonic()
    connections: list[load.Connection] = []
    running: list[asyncio.Future[load.Seen]] = []
    for _ in range(count):
        connection = await load.connect(proxy.port)
        running.append(connection.ask(asked))
        connections.append(connection)
        # Within the pace of one token, so that they do not march in step.
        await asyncio.sleep(max(0.0, began + len(running) / count * every / 1000 - time.monotonic()))
    await asyncio.gather(*(connection.first for connection in connections))
    start, before = proxy.cpu(), sum(connection.seen.tokens for connection in connections)
    # The window ends before the first stream does.
    await asyncio.sleep(max(0.2, events * every / 1000 - (time.monotonic() - began) - 0.1))
    spent = proxy.cpu() - start
    passed = sum(connection.seen.tokens for connection in connections) - before
    done = await asyncio.gather(*running)
    gaps = [abs(b - a - every / 1000) for one in done for a, b in zip(one.arrivals, one.arrivals[1:], strict=False)]
    for connection in connections:
        connection.transport.close()
    return {
        "cpu": spent / max(passed, 1) * 1e6,
        "opening": (start - opened) / count * 1000,
        "jitter": quantiles(gaps, n=100)[98] * 1000,
        "lost": float(sum(events - one.tokens for one in done)),
    }


async def aborts(proxy: Target, closed: Callable[[], dict[str, float]], *, count: int, every: int) -> dict[str, float]:
    """Milliseconds from the client's leaving to the end of the provider's connection."""
    left: dict[str, float] = {}
    for number in range(count):
        tag = f"a{abs(hash(proxy.name)) % 10**6}x{time.monotonic_ns()}x{number}"
        connection = await load.connect(proxy.port)
        running = connection.ask(proxy.ask(events=20, every=every, tag=tag, stream=True))
        running.add_done_callback(lambda future: future.exception())
        await connection.first
        await asyncio.sleep(0.05)
        left[tag] = time.monotonic()
        connection.transport.abort() if number % 2 else connection.transport.close()
    await asyncio.sleep(every / 1000 * 2 + 0.3)
    noted = await asyncio.to_thread(closed)
    taken = [(noted[tag] - at) * 1000 for tag, at in left.items() if tag in noted]
    return {"abort": median(taken) if len(taken) * 2 > count else float("inf"), "unaborted": float(count - len(taken))}


async def images(proxy: Target, *, count: int, size: int) -> dict[str, float]:
    """Large bodies one after the other: CPU per body, memory afterwards and at most."""
    asked = proxy.ask(events=1, image=size)
    before = proxy.cpu()
    await load.calls(proxy.port, asked, count=count, connections=1, tokens=1)
    assert proxy.process is not None
    now, peak = proxy.process.memory()
    return {"cpu": (proxy.cpu() - before) / count * 1000, "rss": now, "peak": peak}


def closed_by(port: int) -> Callable[[], dict[str, float]]:
    """Asks the provider which streams ended early."""

    def ask() -> dict[str, float]:
        with urlopen(f"http://127.0.0.1:{port}/closed") as answer:
            found: dict[str, float] = json.load(answer)
            return found

    return ask
