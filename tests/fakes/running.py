"""The real program, in a process of its own, and its log."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from fakes.secrets import Secrets
from fakes.waiting import until


@dataclass
class Running:
    """A whole ``piproxy``; ``lines`` is its log."""

    process: trio.Process
    url: str
    lines: list[str] = field(default_factory=list)

    async def told(self, test: Callable[[str], object]) -> str:
        while True:
            for line in self.lines:
                if test(line):
                    return line
            await trio.sleep(0.01)

    async def workers(self, count: int) -> list[int]:
        """The ids of the first ``count`` workers."""

        def found() -> list[int]:
            return [int(line.rpartition("=")[2]) for line in self.lines if "a worker started" in line]

        await until(lambda: len(found()) >= count)
        return found()

    async def serving(self, count: int) -> None:
        """Wait until ``count`` workers have answered: only then do they hear signals."""
        answered: set[int] = set()
        while len(answered) < count:
            async with httpx.AsyncClient(timeout=60) as client:
                answered.add((await client.get(f"{self.url}/status")).json()["pid"])


@asynccontextmanager
async def running(
    home: Path, *arguments: str, models: Any, auth: Any = None, workers: int = 3
) -> AsyncIterator[Running]:
    """Serve at a free port, with standard input open; what is said about secrets is checked in the end."""
    (home / "models.json").write_text(json.dumps(models))
    if auth is not None:
        (home / "auth.json").write_text(json.dumps(auth))
    environ = {**os.environ, "PI_CODING_AGENT_DIR": str(home), "PI_PROXY_CATALOG": "snapshot"}
    command = [sys.executable, "-m", "piproxy", "--port", "0", "--workers", str(workers), *arguments]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, env=environ, check=False, stdin=-1, stdout=-1, stderr=-1)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said = b""
        while b"\n" not in said:
            said += await process.stdout.receive_some()
        found = Running(process, "http://" + said.decode().partition("http://")[2].partition("/")[0])
        nursery.start_soon(_log, process.stderr, found.lines)
        yield found
        Secrets(models, auth).check([said.decode(), *found.lines])
        process.kill()
        nursery.cancel_scope.cancel()


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


async def _log(stream: trio.abc.ReceiveStream, lines: list[str]) -> None:
    rest = b""
    while data := await stream.receive_some():
        *whole, rest = (rest + data).split(b"\n")
        lines += [line.decode() for line in whole]


def provider_at(port: int, **more: Any) -> dict[str, Any]:
    address = f"http://127.0.0.1:{port}/v1"
    return {"baseUrl": address, "api": "openai-completions", "models": [{"id": "m"}], **more}
