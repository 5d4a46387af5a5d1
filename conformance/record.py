"""``python -m conformance.record CLIENT [CASE]``: drive a real client against a served piproxy and keep what went by.

piproxy runs as a process of its own; its models live at a scripted provider in this process, and the client talks to
piproxy through a tap. A case is written only if the client saw what the scenario says it must see.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import trio

from conformance.blocks import CLOSED
from conformance.case import Case, Recording
from conformance.clients import Client, clients, environments, place
from conformance.provider import Provider, scripted
from conformance.scenarios import SCENARIOS
from conformance.strip import stripped
from conformance.tap import Tap
from conformance.vendors import UPSTREAM_KEY, agent_files

KEY: Final = "conformance-client-key"
LONGEST: Final = 400.0
"""Seconds for one case."""
SLOWEST_LEAVE: Final = 100
"""Tenths of a second in which a busy machine brings the provider the news that a client has left."""
_KEPT: Final = ("PATH", "LANG", "PYENV_VERSION", "PYENV_ROOT", "HTTP_PROXY", "NODE_EXTRA_CA_CERTS")


class Clock:
    """Seconds since it was started."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._zero = trio.current_time()

    def __call__(self) -> float:
        return trio.current_time() - self._zero


@dataclass(slots=True)
class Outcome:
    """What came of driving a client through a case."""

    seen: dict[str, Any]
    """What the driver printed."""
    wrong: list[str]
    """What it should have seen and did not."""
    recording: Recording


@asynccontextmanager
async def served(upstream: int, *, demo: bool = False) -> AsyncIterator[int]:
    """A piproxy of its own whose providers listen on port ``upstream``; its port."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in agent_files(f"http://127.0.0.1:{upstream}").items():
            (Path(folder) / name).write_text(json.dumps(content))
        environ = {**{name: os.environ[name] for name in _KEPT if name in os.environ}, "HOME": folder}
        environ |= {"PI_CODING_AGENT_DIR": folder, "PI_PROXY_KEEP_ALIVE_SEC": "0"}
        command = [sys.executable, "-m", "piproxy", "--port", "0", *(["--demo"] if demo else [])]
        complaints = Path(folder) / "stderr"
        async with trio.open_nursery() as nursery:
            with complaints.open("wb") as stderr:
                run = partial(trio.run_process, command, env=environ, check=False, stdout=PIPE, stderr=stderr)
                process = await nursery.start(run)
            line = bytes(await process.stdout.receive_some(4096)).decode()
            if "http://" not in line:
                raise RuntimeError(f"piproxy did not start: {line}{complaints.read_text(encoding='utf-8')}")
            yield int(line.partition("http://")[2].partition("/")[0].rpartition(":")[2])
            nursery.cancel_scope.cancel()


async def drive(client: Driver, scenario: str, model: str, *, server: int, listener: trio.SocketListener) -> Outcome:
    """One client through one scenario; ``server`` is a port, ``listener`` where the server finds its providers."""
    clock = Clock()
    provider = Provider(scripted(SCENARIOS[scenario].answers), clock)
    tap = Tap(server, clock, Path(client.home) / "began")
    started = False

    async def connected(stream: trio.SocketStream) -> None:
        nonlocal started
        if not started:
            started = True
            clock.start()
        await tap.serve(stream)

    async with trio.open_nursery() as nursery:
        front = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = front.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, connected, [front])
        nursery.start_soon(_lend, listener, provider)
        seen = await client.play(scenario, model, port)
        await trio.sleep(0.3)  # closes of connections are on their way
        for _ in range(SLOWEST_LEAVE if "left" in SCENARIOS[scenario].sees else 0):
            if not _is_left(provider):
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    recording = Recording(
        *(stripped(log, [KEY, UPSTREAM_KEY, client.home, str(place())]) for log in (tap.sent, provider.log, tap.got))
    )
    wanted = SCENARIOS[scenario].sees
    wrong = [f"{key}: {seen.get(key)!r}, not {value!r}" for key, value in wanted.items() if not _same(seen, key, value)]
    if wanted.get("left") and not _is_left(provider):
        wrong.append("piproxy did not leave its provider when the client left")
    if not tap.sent:
        wrong.append("the client asked nothing")
    if wrong and "error" in seen and "error" not in wanted:
        wrong.append(f"error: {str(seen['error'])[:1000]}")
    return Outcome(seen, wrong, recording)


def _is_left(provider: Provider) -> bool:
    return any(block.word == CLOSED for block in provider.log)


async def _lend(listener: trio.SocketListener, provider: Provider) -> None:
    """Accept for this case, and leave the listener open for the next."""
    async with trio.open_nursery() as nursery:
        while True:
            nursery.start_soon(provider.serve, await listener.accept())


class Driver:
    """A client's driver, started once for all of its cases."""

    def __init__(self, client: Client, process: trio.Process, home: str) -> None:
        self._client = client
        self._process = process
        self.home = home
        self._held = b""

    async def play(self, scenario: str, model: str, port: int) -> dict[str, Any]:
        """What the client saw."""
        assert self._process.stdin is not None
        task = {"scenario": scenario, "model": model, "base_url": f"http://127.0.0.1:{port}/v1"}
        with trio.move_on_after(LONGEST):
            await self._process.stdin.send_all(json.dumps(task).encode() + b"\n")
            line = await self._line()
            seen = json.loads(line) if line.startswith(b"{") else {"said": line.decode()}
            return seen if isinstance(seen, dict) else {}
        raise TimeoutError(f"{self._client.name} was not done after {LONGEST} s")

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._held:
            data = await self._process.stdout.receive_some(65536)
            if not data:
                raise ChildProcessError(f"the driver of {self._client.name} has died")
            self._held += bytes(data)
        line, _, self._held = self._held.partition(b"\n")
        return line


@asynccontextmanager
async def driver(client: Client) -> AsyncIterator[Driver]:
    """The client's driver, in a home directory of its own."""
    with tempfile.TemporaryDirectory(prefix="client-") as home:
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environ |= {"HOME": home, "API_KEY": KEY, "MODE": client.mode, "NO_COLOR": "1"}
        environ |= {"CLIENT_BIN": str(client.environment.bin), "PYTHONUNBUFFERED": "1"}
        if "node22" in environments():
            environ["NODE_BIN"] = str(environments()["node22"].bin)
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, client.command(), env=environ, cwd=home, check=False)
            process = await nursery.start(partial(run, stdin=PIPE, stdout=PIPE, stderr=sys.stderr))
            yield Driver(client, process, home)
            nursery.cancel_scope.cancel()


def _same(seen: dict[str, Any], key: str, value: Any) -> bool:
    """As wanted; thinking and finish reasons are not shown by all clients; an error may say more."""
    if key not in seen:
        return bool(seen) and key in ("reasoning", "finish") and not seen.get("failed")
    if key == "error":
        return _words(value) in _words(str(seen[key]))
    if key == "text" and seen.get("inside"):  # a program prints more than the answer, and its white space is its own
        return _words(value) in _words(seen[key])
    return bool(seen[key] == value)


async def listening(port: int) -> trio.SocketListener:
    """Where the scripted providers are; 0 is any free port."""
    return (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0]


def prepare(client: Client) -> None:
    """Install the client, and a Node for it, if they are not there."""
    client.environment.install()
    if client.environment.npm:
        environments()["node22"].install()


def _words(text: str) -> str:
    return " ".join(text.split())


async def record(names: Sequence[str], pattern: str, *, upstream: int, anyway: bool, keep: bool) -> int:
    """Record these clients' cases; the number of those that were not as they should be."""
    failed = 0
    known = clients()
    listener = await listening(upstream)
    async with listener, served(listener.socket.getsockname()[1]) as server:
        for name in names:
            client = known[name]
            plays = [play for play in client.plays() if not pattern or pattern in play[:2]]
            if not plays:
                continue
            prepare(client)
            async with driver(client) as driven:
                for case, scenario, model in plays:
                    outcome = await drive(driven, scenario, model, server=server, listener=listener)
                    failed += bool(outcome.wrong)
                    print(
                        f"{'WRONG' if outcome.wrong else 'ok   '} {name}/{case}",
                        *outcome.wrong,
                        sep="\n        ",
                        flush=True,
                    )
                    if keep and (anyway or not outcome.wrong):
                        about = {"client": name, "version": client.version, "scenario": scenario, "model": model}
                        about["about"] = SCENARIOS[scenario].about
                        Case(name, case, about, outcome.recording).save()
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=[*clients(), "all"])
    parser.add_argument("case", nargs="?", default="", help="a case or a scenario; all of the client's if not given")
    parser.add_argument("--anyway", action="store_true", help="keep cases that are not as they should be, too")
    options = parser.parse_args(arguments)
    names = list(clients()) if options.client == "all" else [options.client]
    work = partial(record, names, options.case, upstream=0, anyway=options.anyway, keep=True)
    return 1 if trio.run(work) else 0


if __name__ == "__main__":
    sys.exit(main())
