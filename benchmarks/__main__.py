"""``python -m benchmarks``: start everything, give everyone the same work in turn, write what came of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers, report, rooms, work
from benchmarks.load import Broken
from benchmarks.process import Process, free_port, scripted_provider

ROOT = Path(__file__).parent.parent
MB = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """How much work."""

    rounds: int = 3
    calls: int = 400
    many_calls: int = 10_000
    images: int = 20
    starts: int = 3


QUICK = Size(rounds=2, calls=200, many_calls=1000, images=4, starts=1)


class Run:
    """One run of the benchmarks."""

    def __init__(self, size: Size, stack: ExitStack, only: set[str]) -> None:
        self.results = report.Results(
            work=f"{size.rounds} rounds in turn, {size.many_calls:,} calls and {size.images} image bodies before memory"
        )
        self._size = size
        self._stack = stack
        self._only = only
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._port = stack.enter_context(scripted_provider())
        self._upstream = f"http://127.0.0.1:{self._port}/v1"
        self._proxies: list[work.Target] = []

    async def everything(self, found: list[peers.Peer]) -> None:
        for peer in found:
            self.results.versions[peer.name] = peer.version
            await self._start(peer)
        direct = work.Target("(none)", self._port, "bench", {}, None)
        for connections in (1, 16):
            name = f"call, {connections} connection{'s' if connections > 1 else ''}"
            await self._rounds(name, self._calls(connections), direct)
        await self._rounds("first event", lambda proxy: work.first_event(proxy, count=50), direct)
        for count, events, every in ((1, 200, 10), (64, 150, 20), (1000, 16, 320)):
            name = f"{count:,} stream{'s' if count > 1 else ''}"
            await self._rounds(name, self._streams(count, events, every), direct)
        closed = work.closed_by(self._port)
        await self._rounds("leaving", lambda proxy: work.aborts(proxy, closed, count=10, every=500))
        many = self._size.many_calls
        await self._once("many calls", lambda proxy: self._many(proxy, many))
        await self._once("images", lambda proxy: work.images(proxy, count=self._size.images, size=20 * MB))

    def _calls(self, connections: int) -> Callable[[work.Target], Awaitable[dict[str, float]]]:
        return lambda proxy: work.calls(proxy, count=self._size.calls, connections=connections)

    def _streams(self, count: int, events: int, every: int) -> Callable[[work.Target], Awaitable[dict[str, float]]]:
        return lambda proxy: work.streams(proxy, count=count, events=events, every=every)

    async def _many(self, proxy: work.Target, count: int) -> dict[str, float]:
        await work.calls(proxy, count=count, connections=16)
        assert proxy.process is not None
        return {"rss": proxy.process.memory()[0]}

    async def _rounds(
        self, name: str, measure: Callable[[work.Target], Awaitable[dict[str, float]]], *extra: work.Target
    ) -> None:
        """In turn, so that what else the machine does falls on all."""
        if self._only and name not in self._only:
            return
        for number in range(self._size.rounds):
            proxies = [*extra, *self._proxies]
            for proxy in proxies if number % 2 else reversed(proxies):
                await self._note(name, proxy, measure)

    async def _once(self, name: str, measure: Callable[[work.Target], Awaitable[dict[str, float]]]) -> None:
        if not self._only or name in self._only:
            for proxy in self._proxies:
                await self._note(name, proxy, measure)

    async def _note(
        self, name: str, proxy: work.Target, measure: Callable[[work.Target], Awaitable[dict[str, float]]]
    ) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(200):
                values = await measure(proxy)
        except (Broken, OSError, TimeoutError) as exc:
            self.results.failures.append(f"{proxy.name}, {name}: {str(exc) or type(exc).__name__}"[:300])
            print(self.results.failures[-1], file=sys.stderr, flush=True)
            values = {}
        for metric, value in values.items():
            self.results.add(proxy.name, f"{name}: {metric}", value)
        shown = " ".join(f"{metric}={value:.3g}" for metric, value in values.items())
        print(f"{name:20} {proxy.name:18} {time.monotonic() - began:5.1f} s  {shown}", file=sys.stderr, flush=True)

    async def _start(self, peer: peers.Peer) -> None:
        for number in range(1, self._size.starts + 1):
            port = free_port()
            own = self._directory / f"{peer.name.replace(' ', '-')}-{number}"
            own.mkdir()
            log = self._stack.enter_context((own / "log").open("wb"))
            command, environ = peer.command(port, own, self._upstream), peer.environ(port, own, self._upstream)
            process = Process(command, environ=environ, log=log, cwd=own)
            self._stack.callback(process.stop)
            proxy = work.target(peer, port, self._upstream, process)
            try:
                seconds = await work.until_ready(proxy)
            except Broken as exc:
                said = (own / "log").read_text(errors="replace")[-500:]
                self.results.failures.append(f"{peer.name}: {exc}: {said}")
                print(self.results.failures[-1], file=sys.stderr, flush=True)
                return
            self.results.add(peer.name, "start: seconds", seconds)
            self.results.add(peer.name, "start: cpu", process.cpu())
            if peer.imports:
                self.results.add(peer.name, "import: seconds", _time(peer.imports, own, {**os.environ, **environ}))
            if number == self._size.starts:
                await asyncio.sleep(0.5)
                self.results.add(peer.name, "idle: rss", process.memory()[0])
                self._proxies.append(proxy)
            else:
                process.stop()
        print(f"{peer.name} {peer.version} runs", file=sys.stderr, flush=True)


def _time(command: tuple[str, ...], cwd: Path, environ: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, cwd=cwd, env=environ, capture_output=True)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--peers", type=Path, default=ROOT / ".benchmarks", help="where the peers are installed")
    parser.add_argument("--install", action="store_true", help="install them there first (pip and npm)")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this measurement")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME", help="only this proxy")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--readme", type=Path, help="put the table into this file, between its marks")
    given = parser.parse_args()
    if given.install:
        peers.install(given.peers)
    found = [peer for peer in peers.peers(given.peers.absolute()) if not given.peer or peer.name in given.peer]
    with ExitStack() as stack:
        run = Run(QUICK if given.quick else Size(), stack, set(given.only))
        asyncio.run(run.everything(found))
    run.results.rooms = {} if given.only else rooms.measure()
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(run.results.as_json(), indent=1, sort_keys=True) + "\n")
    table = report.table(run.results)
    if given.readme:
        report.into(given.readme, table)
    print(table)


if __name__ == "__main__":
    main()
