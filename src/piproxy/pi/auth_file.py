"""auth.json: tolerant reading without the lock, byte-compatible writing under it (pi-on-disk.md, 1.3 to 1.5 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from piproxy.jsontext import Json
from piproxy.pi import jsonfile
from piproxy.pi.auth_entry import StoredEntry, find_entry
from piproxy.pi.jsonfile import Fingerprint, UnreadableFile
from piproxy.pi.lock import DirectoryLock, LockBusy, LockImpossible
from piproxy.pi.rewrite import create, rewrite

_PATIENCE: Final = 2.0
"""Seconds that a reader waits for the lock before it calls a file broken."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the file held at one moment. An unreadable file holds no entries, and ``problem`` says why."""

    entries: Mapping[str, Json] = field(default_factory=dict, repr=False)
    problem: UnreadableFile | None = None

    def find(self, provider: str) -> tuple[str, StoredEntry] | None:
        """The key under which the provider is stored, and its entry; the provider's other id counts too."""
        return find_entry(self.entries, provider)

    def entry(self, provider: str) -> StoredEntry | None:
        """The provider's entry; ``None``: nothing is stored."""
        found = self.find(provider)
        return found[1] if found else None


class AuthFile:
    """pi's credential store. Safe to use from several threads: each method reads or writes the file as a whole."""

    def __init__(self, path: Path, *, lock: Callable[[Path], DirectoryLock] = DirectoryLock) -> None:
        self.path = path
        self._lock = lock
        self._seen: tuple[Fingerprint | None, Snapshot] | None = None

    def snapshot(self) -> Snapshot:
        """The present content, read again only when the file has changed.

        Never raises. May block for a moment (and up to 2 seconds more for the lock) when the file is half-written.
        """
        mark = jsonfile.fingerprint(self.path)
        seen = self._seen
        if seen is not None and seen[0] == mark:
            return seen[1]
        try:
            document = jsonfile.read(self.path, missing={})
            snapshot, mark = Snapshot(_entries(document.value, self.path)), document.fingerprint
        except UnreadableFile as problem:
            snapshot = self._second_look(problem)
        self._seen = (mark, snapshot)
        return snapshot

    def lock(self) -> DirectoryLock:
        """A new lock of the file, not yet taken. The file is made first if it is missing, as its real path is needed.

        Raises :class:`~piproxy.pi.lock.LockImpossible` when it cannot be made.
        """
        if not self.path.exists():
            try:
                create(self.path, b"{}")
            except OSError as exc:
                raise LockImpossible(f"Cannot create {self.path}: {exc.strerror}") from exc
        return self._lock(self.path)

    def read_locked(self) -> dict[str, Json]:
        """The entries, for a caller that holds the lock. Raises :class:`UnreadableFile`."""
        try:
            content = self.path.read_bytes()
        except OSError as exc:
            raise UnreadableFile(self.path, exc.strerror or type(exc).__name__) from exc
        return _entries(jsonfile.parse(content, self.path) if content.strip() else {}, self.path)

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

    def _second_look(self, problem: UnreadableFile) -> Snapshot:
        """Under the lock nobody is writing: what is broken then is broken."""
        lock = DirectoryLock(self.path, wait=_PATIENCE)
        try:
            with lock:
                return Snapshot(self.read_locked())
        except (LockBusy, LockImpossible):
            return Snapshot(problem=problem)
        except UnreadableFile as exc:
            return Snapshot(problem=exc)


def _entries(value: Json, path: Path) -> dict[str, Json]:
    if isinstance(value, dict):
        return value
    if value in ([], ""):
        return {}
    raise UnreadableFile(path, f"the top level is {'null' if value is None else type(value).__name__}, not an object")
