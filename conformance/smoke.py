"""``python -m conformance.smoke``: install the real clients and drive them all again, without writing anything.

Each client first asks the demo provider once, then uses what ``piproxy connect`` writes for it, where there is such a
thing (``connected.py``), then plays all its scenarios with the scripted provider. Fails when a client
does not see what it has to see: then record it again (``python -m conformance.record CLIENT``) or mend piproxy.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import trio

from conformance.clients import Client, clients
from conformance.connected import CLIENTS, connected
from conformance.record import drive, driver, listening, prepare, record, served

DEMO = "echo"
"""Its public id: Open WebUI asks only for models that it has found in the list."""


async def ask_demo(names: Sequence[str]) -> int:
    """One question to the demo provider by each client; the number of those that got no answer."""
    known = clients()
    failed = 0
    listener = await listening(0)
    async with listener, served(listener.socket.getsockname()[1], demo=True) as server:
        for name in names:
            client = known[name]
            async with driver(client) as driven:
                scenario = _simple(client)
                outcome = await drive(driven, scenario, DEMO, server=server, listener=listener)
            answered = bool(outcome.seen) and not outcome.seen.get("failed")
            failed += not answered
            print(f"{'ok   ' if answered else 'WRONG'} {name}, {scenario} of demo/echo", flush=True)
            if not answered:
                print(f"        {outcome.seen}", flush=True)
    return failed


def _simple(client: Client) -> str:
    scenarios = [scenario for _, scenario, _ in client.plays()]
    return "stream" if "stream" in scenarios else scenarios[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", nargs="*", help="only these clients")
    options = parser.parse_args(arguments)
    failed: list[str] = []
    names = []
    for name in options.client or clients():
        try:
            prepare(clients()[name])
            names.append(name)
        except (OSError, subprocess.CalledProcessError) as error:
            failed.append(f"{name} cannot be installed: {error}")
    demo = trio.run(ask_demo, names)
    told = trio.run(connected, [name for name in names if name in CLIENTS])
    played = trio.run(partial(record, names, "", upstream=0, anyway=False, keep=False))
    print(*failed, f"{demo} demo questions, {told} settings and {played} cases went wrong", sep="\n")
    return 1 if failed or demo or told or played else 0


if __name__ == "__main__":
    sys.exit(main())
