"""The files behind the registry, each read again only when it changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from piproxy.jsontext import Json
from piproxy.pi import jsonfile
from piproxy.pi.catalog import Catalog, Choice, newer, read_installed, snapshot
from piproxy.pi.installed import find_installed
from piproxy.pi.jsonfile import Fingerprint, UnreadableFile
from piproxy.pi.problem import Problem


@dataclass(frozen=True, slots=True)
class StoredEntries:
    """One reading of auth.json; entries are as written (:func:`piproxy.pi.auth_entry.find_entry` reads them)."""

    entries: Mapping[str, Json] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    fingerprint: Fingerprint | None = None


def read_auth(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> StoredEntries:
    """Read auth.json without its lock; never raises. What cannot be read holds no credentials."""
    mark = jsonfile.fingerprint(path)
    try:
        document = jsonfile.read(path, missing={}, sleep=sleep)
    except UnreadableFile as exc:
        return StoredEntries(
            problems=(Problem(path, f"no stored credentials: {exc.reason}", exc.line),), fingerprint=mark
        )
    if isinstance(document.value, dict):
        return StoredEntries(document.value, (), document.fingerprint)
    problems = () if document.value in ([], "") else (Problem(path, "no stored credentials: must be an object"),)
    return StoredEntries(problems=problems, fingerprint=document.fingerprint)


class _Reading(Protocol):
    @property
    def problems(self) -> tuple[Problem, ...]: ...

    @property
    def fingerprint(self) -> Fingerprint | None: ...


R = TypeVar("R", bound=_Reading)

_SETTLED: Final = 1_000_000_000
"""Nanoseconds after which a file is meant to be as it is."""


class _Reader(Protocol[R]):  # type: ignore[misc]
    def __call__(self, path: Path, *, sleep: Callable[[float], None]) -> R: ...


class Watched(Generic[R]):
    """A file, and what it held when it last made sense.

    Asking costs one ``stat``. A file that is broken now leaves the last good reading in use. It is reported in
    :attr:`problems` if it stays so: within a second of a write, pi or an editor may be halfway, and whoever asks next
    reads it again. Only the very first reading waits for a half-written file.
    """

    def __init__(self, path: Path, read: _Reader[R]) -> None:
        self._path = path
        self._read = read
        self._last = read(path, sleep=time.sleep)
        self._good = self._last

    def current(self) -> R:
        mark = jsonfile.fingerprint(self._path)
        if mark != self._last.fingerprint and not _just_emptied(mark):
            found = self._read(self._path, sleep=lambda _: None)
            if not found.problems:
                self._good = found
            if not found.problems or not _young(found.fingerprint):
                self._last = found
        return self._good

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the file as it is now."""
        return self._last.problems


def _just_emptied(mark: Fingerprint | None) -> bool:
    """pi empties a file before it writes it: whoever looks in that instant must not take it for a logout."""
    return mark is not None and mark.size == 0 and _young(mark)


def _young(mark: Fingerprint | None) -> bool:
    """Written so lately that more may be to come."""
    return mark is not None and abs(time.time_ns() - mark.mtime_ns) < _SETTLED


class CatalogSource:
    """The catalog to use: shipped or installed (:data:`~piproxy.pi.catalog.Choice`), read again when pi is updated."""

    def __init__(self, choice: Choice, environ: Mapping[str, str]) -> None:
        self._choice = choice
        self._environ = environ
        self._installed: Catalog | None = None
        self._manifest: Path | None = None
        self._mark: Fingerprint | None = None
        self.problems: tuple[Problem, ...] = ()
        self._find()

    def current(self) -> Catalog:
        if self._manifest is not None and jsonfile.fingerprint(self._manifest) != self._mark:
            self._find()
        if self._installed is None:
            return snapshot()
        return self._installed if self._choice == "installed" else newer(snapshot(), self._installed)

    def _find(self) -> None:
        self._installed, self._manifest, self._mark, self.problems = None, None, None, ()
        if self._choice == "snapshot":
            return
        found = find_installed(self._environ)
        if found is None:
            if self._choice == "installed":
                self.problems = (Problem(Path("pi"), "not found on PATH; the shipped model catalog is used"),)
            return
        self._manifest = found.pi_ai / "dist" / "providers" / "data" / ".manifest.json"
        self._mark = jsonfile.fingerprint(self._manifest)
        try:
            self._installed = read_installed(found.pi_ai, found.version)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
            reason = f"the catalog of pi {found.version} cannot be read, the shipped one is used: {exc}"
            self.problems = (Problem(found.pi_ai, reason),)
