"""pi's lock on a file: an empty directory beside it (pi-on-disk.md, 1.3).

The plan, with pi's own habits in mind:

* The lock of ``auth.json`` is the directory ``auth.json.lock``; ``mkdir`` takes it, ``rmdir`` gives it back. Some pi
  releases lock the path as given, some the path behind the symlinks: both are taken, the given one first.
* The holder renews the directory's time every 3 seconds. A pi that is starting takes any lock older than 10 seconds,
  so renewing less often would lose it; pi itself renews every 15 seconds, so nothing younger than 30 is taken from it.
* A time in the future is normal. The directory stays empty, or pi could never clear it away.
* A holder whose directory is gone, or bears a time that it did not set, has lost the lock (:attr:`compromised`).

Everything blocks; :func:`held` is the door for trio.
"""

from __future__ import annotations

import atexit
import errno
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import trio

from piproxy.errors import GatewayError

STALE: Final = 30.0
"""Seconds without a sign of life after which a lock is taken over."""
BEAT: Final = 3.0
"""Seconds between two signs of life of ours."""
WAIT: Final = 30.0
"""Seconds to wait for somebody else's lock."""

_SETTLE: Final = 0.1
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25


class LockBusy(GatewayError):
    """Somebody else held the lock for as long as we could wait."""


class LockImpossible(GatewayError):
    """The lock cannot be made: a read-only or missing directory."""


@dataclass(slots=True)
class _Taken:
    path: Path
    inode: int = 0
    mtime_ns: int = 0

    def mark(self, now: float) -> None:
        """Give the directory a time of its own, and remember it.

        A directory that is made right after another was removed may get its inode number, and within one tick of the
        kernel's clock (milliseconds) its time, too: left to the kernel, two holders could not be told apart.
        """
        stamp = int(now * 1e9) + random.randrange(1_000_000)  # noqa: S311 - tells holders apart, guards nothing
        os.utime(self.path, ns=(stamp, stamp))
        stat = self.path.stat()
        self.inode, self.mtime_ns = stat.st_ino, stat.st_mtime_ns

    def is_ours(self) -> bool:
        try:
            stat = self.path.stat()
        except OSError:
            return False
        return (stat.st_ino, stat.st_mtime_ns) == (self.inode, self.mtime_ns)


def lock_paths(target: Path) -> tuple[Path, ...]:
    """The directories to take, in order: for the path as given, then for the one behind the symlinks.

    The parent is resolved in both, so that a directory reached by two names is taken once.
    """
    given = Path(os.path.abspath(target))  # noqa: PTH100 - the given name is wanted, links and all
    literal = Path(os.path.realpath(given.parent)) / f"{given.name}.lock"
    real = Path(os.path.realpath(given))  # unlike Path.resolve, it bears links that lead in a circle
    return tuple(dict.fromkeys((literal, real.with_name(f"{real.name}.lock"))))


class DirectoryLock:
    """One holder of the lock of ``target``. Not reentrant; use once at a time, from any thread.

    ``acquire`` raises :class:`LockBusy` after ``wait`` seconds and :class:`LockImpossible` when no directory can be
    made there.
    """

    def __init__(
        self,
        target: Path,
        *,
        stale: float = STALE,
        beat: float = BEAT,
        wait: float = WAIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._stale = stale
        self._beat = beat
        self._wait = wait
        self._clock = clock
        self._taken: list[_Taken] = []
        self._lost = False
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    @property
    def compromised(self) -> bool:
        """The lock was lost while we held it: what it guards may have changed. Looks at the directories now."""
        with self._guard:
            self._lost = self._lost or not all(taken.is_ours() for taken in self._taken)
            return self._lost

    def acquire(self, check: Callable[[], None] = lambda: None) -> None:
        """Take the lock; blocks. ``check`` is called while waiting and may raise to give up."""
        self._lost = False
        self._pid = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, args=(self._stop,), name="pi lock", daemon=True)
        self._thread.start()
        _HELD.add(self)
        deadline = time.monotonic() + self._wait
        try:
            for path in lock_paths(self._target):
                self._take(path, deadline, check)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back; what somebody else took over is left alone. Does nothing when it is not held."""
        _HELD.discard(self)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._give_back()

    def _take(self, path: Path, deadline: float, check: Callable[[], None]) -> None:
        pause = _FIRST_PAUSE
        while not self._try(path):
            if time.monotonic() >= deadline:
                raise LockBusy(
                    f"{path} is held by another program. If no pi is running, remove that directory and try again."
                )
            check()
            time.sleep(pause * random.uniform(1, 2))  # noqa: S311 - spreads waiters, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _try(self, path: Path) -> bool:
        try:
            path.mkdir()
        except FileExistsError:
            return self._clear_stale(path) and self._try(path) and self._settled()
        except OSError as exc:
            raise LockImpossible(f"Cannot lock {self._target}: {exc.strerror}: {path}") from exc
        taken = _Taken(path)
        try:
            taken.mark(self._clock())
        except FileNotFoundError:  # somebody cleared it away in the same instant, taking it for a stale one
            return False
        with self._guard:
            self._taken.append(taken)
        return True

    def _settled(self) -> bool:
        """Two that find the same stale lock can clear it one after the other, and the second then clears the first's
        new one. Whoever took over a stale lock therefore looks again a moment later, and waits in line if it is gone.
        """
        time.sleep(_SETTLE)
        with self._guard:
            if self._taken[-1].is_ours():
                return True
            self._taken.pop()
            self._lost = False
            return False

    def _clear_stale(self, path: Path) -> bool:
        """Whether the way is free now."""
        try:
            if self._clock() - path.stat().st_mtime <= self._stale:
                return False
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError as exc:
            if exc.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                return False
            raise LockImpossible(f"Cannot clear the stale lock {path}: {exc.strerror}") from exc
        return True

    def _keep_alive(self, stop: threading.Event) -> None:
        while not stop.wait(self._beat):
            with self._guard:
                for taken in self._taken:
                    if not taken.is_ours():
                        self._lost = True
                        continue
                    with suppress(OSError):  # the next beat tries again; `is_ours` tells a loss
                        taken.mark(self._clock())

    def _give_back(self) -> None:
        with self._guard:
            while self._taken:
                taken = self._taken.pop()
                if taken.is_ours():
                    with suppress(FileNotFoundError):
                        taken.path.rmdir()


@asynccontextmanager
async def held(lock: DirectoryLock) -> AsyncIterator[DirectoryLock]:
    """Hold ``lock`` in a trio task: waiting can be cancelled, giving back cannot."""
    await trio.to_thread.run_sync(lock.acquire, trio.from_thread.check_cancelled)
    try:
        yield lock
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lock.release)


_HELD: Final[set[DirectoryLock]] = set()


@atexit.register
def _release_all() -> None:
    """A process that ends gives back its locks, as pi does; a forked child leaves its parent's alone."""
    for lock in tuple(_HELD):
        if lock._pid == os.getpid():  # noqa: SLF001 - the same module
            lock.release()
