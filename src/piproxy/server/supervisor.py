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
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import trio

from piproxy.errors import ConfigError
from piproxy.server.tally import Tally
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
    tally: Tally
    flaws: Sequence[str]
    """What was wrong in the settings at the start, and is repaired."""
    ready: Callable[[], None]
    """To be called when it serves, and hears signals."""


@dataclass(frozen=True, slots=True)
class Child:
    """A worker as the supervisor sees it: its process, and what says a byte when the worker is ready."""

    process: trio.Process
    ready: trio.abc.ReceiveStream


class Supervisor:
    """Keeps ``count`` processes running until a signal says stop."""

    def __init__(
        self,
        start: Callable[[int, bool], Awaitable[Child]],
        tell: Callable[..., None],
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """``start(number, first)`` starts a worker; ``tell(text, **fields)`` writes to the log.

        ``stopping`` is called when no worker will be started any more.
        """
        self._start = start
        self._tell = tell
        self._stopping = stopping
        self._stop = trio.Event()
        self._running: set[trio.Process] = set()
        self._ready: set[trio.Process] = set()
        self._served = False
        self._reloads = 0
        self._codes: list[int] = []

    async def run(self, count: int, signals: AsyncIterator[int]) -> int:
        """The exit code: that of the worst worker, or of the second signal."""
        hurried, signalled = 0, False
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
                        # It would end one that does not hear signals yet; that one is told when it does.
                        self._reloads += 1
                        _send(number, self._ready)
                    elif signalled:
                        hurried = 128 + number
                        nursery.cancel_scope.cancel()
                    else:
                        signalled = True
                        self.stop(signal=signal.Signals(number).name)
        finally:
            with trio.CancelScope(shield=True):
                for process in self._running:
                    process.kill()
                    await process.wait()
        return hurried or max(self._codes, default=0)

    def stop(self, **why: str) -> None:
        """Begin to stop, unless that has begun; ``why`` is for the log."""
        if not self._stop.is_set():
            self._tell("stopping", **why)
            self._end()

    def _end(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._stopping()
            _send(signal.SIGTERM, self._running)

    async def _hear(self, child: Child, reloads: int) -> None:
        """``reloads``: how often settings had been read again when this worker was started."""
        async with child.ready:
            if not await child.ready.receive_some(1):
                return  # it has ended
        self._served = True
        self._ready.add(child.process)
        if reloads != self._reloads:
            child.process.send_signal(signal.SIGHUP)

    async def _keep(self, number: int) -> None:
        """Once a worker has served, others that refuse the settings are tried again: the file has changed since."""
        pause, first = FIRST_PAUSE, number == 0
        while not self._stop.is_set():
            began = trio.current_time()
            reloads = self._reloads
            child = await self._start(number, first)
            process = child.process
            self._running.add(process)
            self._tell("a worker started", worker=number, pid=process.pid)
            if self._stop.is_set():
                process.terminate()
            async with trio.open_nursery() as beside:
                beside.start_soon(self._hear, child, reloads)
                code = await process.wait()
                beside.cancel_scope.cancel()
            self._running.discard(process)
            self._ready.discard(process)
            if self._stop.is_set() or (code == UNUSABLE and not self._served):
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


def _send(number: int, processes: set[trio.Process]) -> None:
    for process in processes:
        process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts workers, new processes of :mod:`piproxy.server.worker`."""

    sockets: Sequence[socket.socket]
    sums: int
    """The file of :class:`~piproxy.server.tally.SharedTally`, for ``count`` workers."""
    count: int
    flags: Mapping[str, Flag]
    environ: Mapping[str, str]
    flaws: Sequence[str] = ()
    """What was wrong in the settings at the start, and is repaired; a worker does not start with any other."""
    started: float = field(default_factory=time.time)
    """Seconds since 1970."""

    async def __call__(self, number: int, first: bool) -> Child:
        if os.name != "posix":
            raise ConfigError("Several workers cannot share a socket on this system; leave out --workers.")
        hears, says = os.pipe()
        ready = trio.lowlevel.FdStream(hears)
        # Copies, since the sockets may be closed, for a stop, before the new process has them.
        sockets = [os.dup(sock.fileno()) for sock in self.sockets]
        task = {
            "sockets": sockets,
            "sums": self.sums,
            "number": number,
            "count": self.count,
            "started": self.started,
            "ready": says,
            "flags": dict(self.flags),
            "environ": dict(self.environ),
            "flaws": list(self.flaws),
            "first": first,
        }
        command = [sys.executable, "-m", "piproxy.server.worker"]
        try:
            process = await trio.lowlevel.open_process(
                command, stdin=subprocess.PIPE, pass_fds=[*sockets, self.sums, says]
            )
        finally:
            for copy in (says, *sockets):
                os.close(copy)
        if process.stdin is not None:
            with suppress(trio.BrokenResourceError):  # it has ended already
                await process.stdin.send_all(json.dumps(task).encode() + b"\n")
        return Child(process, ready)
