"""Processes under measurement: their time, their memory, their end. Linux and its ``/proc``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def scripted_provider() -> Iterator[int]:
    """:mod:`benchmarks.provider` in a process of its own; its port."""
    command = [sys.executable, "-m", "benchmarks.provider"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Process:
    """A server of ours in a session of its own; its children count, too."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], log: IO[bytes], cwd: Path) -> None:
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def cpu(self) -> float:
        """Seconds of CPU time, user and system, up to now."""
        return sum(map(_cpu, self._all()))

    def memory(self) -> tuple[float, float]:
        """Resident now, and at most so far, in MB."""
        found = [_status(pid) for pid in self._all()]
        return sum(now for now, _ in found), sum(peak for _, peak in found)

    def stop(self) -> None:
        if self.alive:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def _all(self) -> list[int]:
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def connections() -> list[tuple[int, int]]:
    """This process's TCP connections: its own port, and the other's."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError, IndexError):  # the listing's own, a unix socket, one that listens
            if path.is_socket():
                with socket.socket(fileno=os.dup(int(path.name))) as copy:
                    found.append((copy.getsockname()[1], copy.getpeername()[1]))
    return sorted(found)


def _cpu(pid: int) -> float:
    """By the process's own clock (CPUCLOCK_SCHED, nanoseconds), else in ticks."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def _status(pid: int) -> tuple[float, float]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return int(sizes.get("VmRSS", 0)) / 1024, int(sizes.get("VmHWM", 0)) / 1024
