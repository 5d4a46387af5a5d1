"""``--workers``: processes that share the listening sockets, and one that looks after them.

The sockets are opened once and inherited, so that a worker's crash loses no connection that waits to be accepted, and
that no worker needs a port of its own. A worker is a fresh interpreter, not a fork of this one. It learns what to do
from its standard input, which stays open as long as the supervisor lives: when it ends, the worker stops.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from piproxy.errors import ConfigError
from piproxy.settings.load import Flag

UNUSABLE: Final = 2
"""The exit code of a worker that cannot start with these settings: another try would not help."""
FIRST_PAUSE: Final = 0.1
"""Seconds before a worker that crashed is started again; twice as many each time, up to ``LONGEST_PAUSE``."""
LONGEST_PAUSE: Final = 10.0
HEALTHY: Final = 10.0
"""A worker that lived so long did not fail at its start."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker is given; the first one greets whoever started the proxy."""

    sockets: Sequence[socket.socket]
    first: bool


class Supervisor:
    """Keeps ``count`` processes running until a signal says stop."""

    def __init__(self, start: Callable[[bool], Awaitable[trio.Process]], tell: Callable[..., None]) -> None:
        """``start(first)`` starts a worker; ``tell(text, **fields)`` writes to the log."""
        self._start = start
        self._tell = tell
        self._stop = trio.Event()
        self._running: set[trio.Process] = set()
        self._codes: list[int] = []

    async def run(self, count: int, signals: AsyncIterator[int]) -> int:
        """The exit code: that of the worst worker, or of the second signal."""
        hurried = 0
        try:
            async with trio.open_nursery() as nursery:

                async def keep_all() -> None:
                    async with trio.open_nursery() as workers:
                        for number in range(count):
                            workers.start_soon(self._keep, number)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(keep_all)
                async for number in signals:
                    if number == getattr(signal, "SIGHUP", None):
                        self._send(number)
                    elif self._stop.is_set():
                        hurried = 128 + number
                        nursery.cancel_scope.cancel()
                    else:
                        self._tell("stopping", signal=signal.Signals(number).name)
                        self._end()
        finally:
            with trio.CancelScope(shield=True):
                for process in self._running:
                    process.kill()
                    await process.wait()
        return hurried or max(self._codes, default=0)

    def _end(self) -> None:
        self._stop.set()
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        for process in self._running:
            process.send_signal(number)

    async def _keep(self, number: int) -> None:
        pause, first = FIRST_PAUSE, number == 0
        while not self._stop.is_set():
            began = trio.current_time()
            process = await self._start(first)
            self._running.add(process)
            self._tell("a worker started", worker=number, pid=process.pid)
            if self._stop.is_set():
                process.terminate()
            code = await process.wait()
            self._running.discard(process)
            if self._stop.is_set() or code == UNUSABLE:
                # A worker that has just been started does not know yet that SIGTERM is no violence.
                self._codes.append(0 if code == -signal.SIGTERM else code if code >= 0 else 128 - code)
                self._end()
                return
            first = False
            pause = FIRST_PAUSE if trio.current_time() - began > HEALTHY else pause
            self._tell("a worker ended and is started again", worker=number, code=code, seconds=pause)
            with trio.move_on_after(pause):
                await self._stop.wait()
            pause = min(2 * pause, LONGEST_PAUSE)


async def start_worker(
    sockets: Sequence[socket.socket], flags: Mapping[str, Flag], environ: Mapping[str, str], first: bool
) -> trio.Process:
    """A new process of :mod:`piproxy.server.worker`."""
    if os.name != "posix":
        raise ConfigError("Several workers cannot share a socket on this system; leave out --workers.")
    numbers = [sock.fileno() for sock in sockets]
    task = {"sockets": numbers, "flags": dict(flags), "environ": dict(environ), "first": first}
    command = [sys.executable, "-m", "piproxy.server.worker"]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, pass_fds=numbers)
    if process.stdin is not None:
        await process.stdin.send_all(json.dumps(task).encode() + b"\n")
    return process
