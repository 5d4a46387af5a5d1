"""CPU per streamed event beside relays that only copy bytes: ``python -m benchmarks.floor``.

A lone event finds the processor's caches filled by others, so that what it costs is not the number of its instructions
but how much code and memory it touches for the first time. The paces show it: the same work, a token every millisecond
or every twenty. What a bare relay needs on the same event loop is the floor; nothing of HTTP or JSON is in it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import peers, work
from benchmarks.process import Process, free_port, scripted_provider

ROOT: Final = Path(__file__).parent.parent
PACES: Final = ((1, 1, 1500), (1, 10, 200), (1, 20, 100), (64, 20, 100))
"""Streams at once, milliseconds between two tokens of each, tokens of each."""


def relay(kind: str) -> peers.Peer:
    return peers.Peer(
        name=f"bare {kind} relay",
        version="",
        command=lambda port, _directory, upstream: [
            *(sys.executable, "-m", "benchmarks.relay"),
            *(kind, str(port), upstream.partition("//")[2].partition("/")[0].rpartition(":")[2]),
        ],
        environ=lambda _port, _directory, _upstream: {"PYTHONPATH": str(ROOT)},
    )


async def measure(rounds: int, proxies: list[work.Target]) -> dict[str, list[list[float]]]:
    """Microseconds of CPU per event, for each proxy and each pace one value a round."""
    found: dict[str, list[list[float]]] = {proxy.name: [[] for _ in PACES] for proxy in proxies}
    for proxy in proxies:
        await work.until_ready(proxy)
    for number in range(rounds):
        for at, (count, every, events) in enumerate(PACES):
            for proxy in proxies if number % 2 else reversed(proxies):
                taken = await work.streams(proxy, count=count, events=events, every=every)
                found[proxy.name][at].append(taken["cpu"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = f"http://127.0.0.1:{stack.enter_context(scripted_provider())}/v1"
        proxies = []
        for peer in (peers.piproxy(), *map(relay, ("trio", "epoll"))):
            port = free_port()
            process = Process(
                peer.command(port, directory, upstream),
                environ=peer.environ(port, directory, upstream),
                log=stack.enter_context((directory / f"{port}.log").open("wb")),
                cwd=directory,
            )
            stack.callback(process.stop)
            proxies.append(work.target(peer, port, upstream, process))
        found = asyncio.run(measure(given.rounds, proxies))
    paces = [f"{count} stream{'s' if count > 1 else ''}, every {every} ms" for count, every, _ in PACES]
    print("| CPU per event, µs |", " | ".join(paces), "|")
    print("|---|" + "---|" * len(paces))
    for name, values in found.items():
        shown = (f"{median(each):.0f} ({min(each):.0f} to {max(each):.0f})" for each in values)
        print(f"| {name} |", " | ".join(shown), "|")


if __name__ == "__main__":
    main()
