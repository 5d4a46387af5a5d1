"""auth.json under its lock: byte-compatible writing of single entries (pi-on-disk.md, 1.3 to 1.5).

Reading without the lock is :func:`piproxy.pi.sources.read_auth`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from piproxy.jsontext import Json
from piproxy.pi import jsonfile
from piproxy.pi.jsonfile import UnreadableFile
from piproxy.pi.lock import DirectoryLock, LockImpossible
from piproxy.pi.rewrite import create, rewrite


class AuthFile:
    """pi's credential store, for writing. Safe to use from several threads: it keeps no state."""

    def __init__(self, path: Path, *, lock: Callable[[Path], DirectoryLock] = DirectoryLock) -> None:
        self.path = path
        self._lock = lock

    def lock(self) -> DirectoryLock:
        """A new lock of the file, not yet taken. The file is made first if it is missing, as its real path is needed.

        Raises :class:`~piproxy.pi.lock.LockImpossible` when it cannot be made.
        """
        if not os.access(self.path, os.F_OK):
            try:
                create(self.path, b"{}")
            except OSError as exc:
                raise LockImpossible(f"Cannot create {self.path}: {exc.strerror}") from exc
        return self._lock(self.path)

    def read_locked(self) -> dict[str, Json]:
        """The entries, for a caller that holds the lock. Raises :class:`UnreadableFile`."""
        try:
            content, _ = jsonfile.content_of(self.path)
        except OSError as exc:
            raise UnreadableFile(self.path, exc.strerror or type(exc).__name__) from exc
        return _entries(jsonfile.parse(content, self.path, exact=True) if content.strip() else {}, self.path)

    def write_locked(self, key: str, change: Callable[[Json], Json]) -> bool:
        """Replace the entry ``key`` by what ``change`` makes of it, for a caller that holds the lock.

        ``change`` is given ``None`` for a missing entry and may return ``None`` for "leave it alone". All other
        entries keep their content and place; a new one goes last. Gives whether something was written. Raises
        :class:`UnreadableFile` (then nothing is touched) and ``OSError``.
        """
        entries = self.read_locked()
        entry = change(entries.get(key))
        if entry is None:
            return False
        rewrite(self.path, jsonfile.dump(entries | {key: entry}))
        return True

    def update(self, key: str, change: Callable[[Json], Json]) -> bool:
        """:meth:`write_locked` with the lock taken and given back around it; blocks."""
        with self.lock():
            return self.write_locked(key, change)


def _entries(value: Json, path: Path) -> dict[str, Json]:
    if isinstance(value, dict):
        return value
    if value in ([], ""):
        return {}
    raise UnreadableFile(path, f"the top level is {'null' if value is None else type(value).__name__}, not an object")
