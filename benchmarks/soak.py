"""Mixed traffic for a given time, and what is left of it: ``python -m benchmarks.soak --minutes 10``.

A piproxy in a process of its own, a scripted provider that speaks every API over loopback, and clients over HTTP/1.1
and HTTP/2, streaming and not. Every fifth request is left by its client, every twentieth meets a fault of the provider;
some go to the demo provider. Told before, during and after: piproxy's sockets, file descriptors, trio tasks, memory.
The exit code is 1 if a socket, a descriptor or a task is left at the end, if an answer was wrong, or if memory grew.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import trio

from benchmarks.breaking import APIS, FAULTS, Provider
from benchmarks.process import connections

ROOT: Final = Path(__file__).parent.parent
ABORTS: Final = 0.20
"""Of all requests so far; clients that come too late, because the answer is complete, are made up for."""
FAULT_SHARE: Final = 0.05
DEMO_SHARE: Final = 0.10
STREAMS: Final = 0.75
GROWTH: Final = 1.02
"""Resident memory of the last fifth of the time may be so many times that of the second fifth."""
SETTLE: Final = 22.0
"""Seconds after which idle connections to providers are too old to be used."""
TOOLS: Final = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_weather", "get_time")
]


@dataclass
class Proxy:
    """The process under test, started with :mod:`benchmarks.inside`, which answers a line with its figures."""

    process: subprocess.Popen[bytes]
    address: str

    async def figures(self) -> dict[str, Any]:
        return await trio.to_thread.run_sync(self._ask)

    def _ask(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        figures: dict[str, Any] = self._line()
        return figures

    def _line(self) -> Any:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith(b"soak "):
                return json.loads(line[5:])
        raise RuntimeError("piproxy has ended")


@contextmanager
def proxy(directory: Path, provider: str, log: Path) -> Iterator[Proxy]:
    models = {
        f"soak-{api}": {"baseUrl": f"{provider}/{api}/v1", "api": api, "apiKey": _key(api), "models": [{"id": "m"}]}
        for api in APIS
    }
    (directory / "models.json").write_text(json.dumps({"providers": models}))
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.inside", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
        ) as process,
    ):
        found = Proxy(process, "")
        found.address = found._line()["address"]  # noqa: SLF001
        try:
            yield found
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _key(api: str) -> str:
    claims = "eyJodHRwczovL2FwaS5vcGVuYWkuY29tL2F1dGgiOnsiY2hhdGdwdF9hY2NvdW50X2lkIjoiYSJ9fQ"
    return f"h.{claims}.s" if "codex" in api else "soak"


@dataclass
class Counts:
    """What the clients did and saw."""

    requests: int = 0
    aborts: int = 0
    faults: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass
class Client:
    """One client: request after request on its own connection."""

    http: httpx.AsyncClient
    counts: Counts
    dice: random.Random

    async def work(self, until: float) -> None:
        while trio.current_time() < until:
            await self.ask()
            await trio.sleep(self.dice.random() * 0.02)

    async def ask(self) -> None:
        dice, counts = self.dice, self.counts
        stream = dice.random() < STREAMS
        fault = dice.choice(FAULTS) if dice.random() < FAULT_SHARE else None
        if fault is None and dice.random() < DEMO_SHARE:
            model, text = "demo/echo", "hello [repeat:20] [slow:0.01]"
        else:
            model, text = f"soak-{dice.choice(APIS)}/m", f"soak:{fault or 'fine'}:"
        body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, "tools": TOOLS}
        counts.requests += 1
        counts.faults += fault is not None
        if counts.aborts < ABORTS * counts.requests and dice.random() < 0.5:
            with trio.move_on_after(dice.random() * 0.25) as scope:
                await self._complete(body, fault, model)
            counts.aborts += scope.cancelled_caught
        else:
            await self._complete(body, fault, model)

    async def _complete(self, body: dict[str, Any], fault: str | None, model: str) -> None:
        data, status = b"", 0
        try:
            async with self.http.stream("POST", "/v1/chat/completions", json=body) as answer:
                status = answer.status_code
                async for piece in answer.aiter_raw():
                    data += piece
        except httpx.HTTPError as error:
            self.counts.wrong[f"{type(error).__name__} at {fault or model}"] += 1
            return
        ended = data.endswith(b"data: [DONE]\n\n") if body["stream"] and status == 200 else data.endswith(b"}")
        failed = status != 200 or b'{"error":' in data
        if not ended or failed != (fault is not None):
            self.counts.wrong[f"status {status}, {data[-60:]!r} at {fault or model}"] += 1


def row(seconds: float, counts: Counts, figures: dict[str, float]) -> str:
    numbers = (counts.requests, counts.aborts, counts.faults, *(figures[k] for k in ("sockets", "fds", "tasks")))
    return f"{seconds:7.0f} {' '.join(f'{number:9.0f}' for number in numbers)} {figures['rss']:9.1f}"


async def run(minutes: float, clients: int, seed: int, log: Path) -> int:
    dice = random.Random(seed)
    counts = Counts()
    provider = Provider()
    with tempfile.TemporaryDirectory() as directory:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(provider.serve)
            with proxy(Path(directory), address, log) as p:
                failed = await _phases(p, counts, dice, minutes * 60, clients)
                nursery.cancel_scope.cancel()
    return failed


async def _phases(p: Proxy, counts: Counts, dice: random.Random, seconds: float, clients: int) -> int:
    async with httpx.AsyncClient(base_url=p.address, timeout=60) as first:
        warm = Client(first, Counts(), dice)
        for _ in range(200):  # rooms, certificates and caches are there afterwards
            await warm.ask()
    start = await _settled(p)
    names = ("requests", "aborts", "faults", "sockets", "fds", "tasks", "RSS MB")
    print("seconds", *(f"{name:>9}" for name in names))
    print(row(0, counts, start), " at the start, idle", flush=True)
    began = trio.current_time()
    memory: list[float] = []
    async with trio.open_nursery() as nursery:
        for number in range(clients):
            nursery.start_soon(_client, p, counts, random.Random(dice.random()), began + seconds, number % 2 == 1)
        step = min(30.0, seconds / 10)
        while (now := trio.current_time()) < began + seconds:
            await trio.sleep_until(min(now + step, began + seconds))
            figures = await p.figures()
            memory.append(figures["rss"])
            print(row(trio.current_time() - began, counts, figures), flush=True)
    end = await _settled(p)
    print(row(trio.current_time() - began, counts, end), " at the end, idle")
    return _judge(start, end, counts, memory)


async def _client(p: Proxy, counts: Counts, dice: random.Random, until: float, http2: bool) -> None:
    limits = httpx.Limits(max_connections=None)
    while trio.current_time() < until:  # a new connection every half a minute
        async with httpx.AsyncClient(
            base_url=p.address, timeout=60, http1=not http2, http2=http2, limits=limits
        ) as http:
            with suppress(ValueError):  # httpcore's HTTP/2 miscounts its own slots after cancelled requests
                await Client(http, counts, dice).work(min(until, trio.current_time() + 30))


async def _settled(p: Proxy) -> dict[str, Any]:
    """The figures when nothing is going on, and no idle connection to the provider is left."""
    await trio.sleep(SETTLE)
    async with httpx.AsyncClient(base_url=p.address, timeout=60) as http:
        body = {"model": f"soak-{APIS[0]}/m", "messages": [{"role": "user", "content": "soak:last:"}]}
        (await http.post("/v1/chat/completions", json=body)).raise_for_status()
    await trio.sleep(1)
    return await p.figures()


def _explain(end: dict[str, Any]) -> None:
    """Whose fault it is: connections that are left, whether their other side has closed, and where tasks wait."""
    mine = {own for own, _ in connections()}
    for own, peer in end["connections"]:
        print(f"open: port {own} to {peer}, which {'this test still holds' if peer in mine else 'has been closed'}")
    print(*end["tree"], sep="\n")


def _judge(start: dict[str, Any], end: dict[str, Any], counts: Counts, memory: list[float]) -> int:
    left = {name: end[name] - start[name] for name in ("sockets", "fds", "tasks") if end[name] != start[name]}
    fifth = max(1, len(memory) // 5)
    early, late = memory[fifth : 2 * fifth] or memory, memory[-fifth:]
    grown = sum(late) / len(late) / (sum(early) / len(early))
    share = counts.aborts / max(1, counts.requests), counts.faults / max(1, counts.requests)
    print(f"{counts.requests} requests, {share[0]:.0%} left by the client, {share[1]:.0%} with a fault")
    print(f"left over: {left or 'nothing'}; memory of the last fifth: {grown:.3f} times that of the second fifth")
    if left:
        _explain(end)
    for what, number in counts.wrong.most_common(20):
        print(f"WRONG {number} times: {what}")
    return int(bool(left) or bool(counts.wrong) or grown > GROWTH)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--log", type=Path, default=Path("/dev/null"), help="where piproxy's own log goes")
    asked = parser.parse_args()
    print(f"seed {asked.seed}, {asked.clients} clients")
    return trio.run(run, asked.minutes, asked.clients, asked.seed, asked.log)


if __name__ == "__main__":
    sys.exit(main())
