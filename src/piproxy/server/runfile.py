"""``proxy.pid`` in pi's directory: which piproxy runs, and where.

The first line is the process id alone, as the Node proxy writes and reads it (pi-on-disk.md, 9.4 and 10.3); the second
one is JSON. There is one such file, and the proxy that started last has it; it notes those that had it before, and
gives it back to the last of them that still runs. A file says what was, not what is: whoever reads it asks the proxy
itself before believing it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from piproxy.jsontext import Json, as_count, as_object, as_text

_REMEMBERED: Final = 8


@dataclass(frozen=True, slots=True)
class RunFile:
    """What the file says; ``url`` is empty when the Node proxy wrote it."""

    pid: int
    url: str = ""
    before: tuple[RunFile, ...] = ()
    """Who had the file before, last first."""


def write_run_file(path: Path, addresses: Sequence[str]) -> bool:
    """Say that this process listens at the first of the addresses; False where that cannot be written."""
    found = read_run_file(path)
    earlier = () if found is None else (found, *found.before)
    return _write(path, RunFile(os.getpid(), addresses[0], tuple(one for one in earlier if _lives(one))))


def read_run_file(path: Path) -> RunFile | None:
    """What the file says; None without one, and for one that is something else."""
    try:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        pid = int(first)
    except (OSError, ValueError):
        return None
    if pid <= 0:
        return None
    try:
        said = as_object(json.loads(rest))
    except ValueError:
        said = {}
    noted = said.get("before")
    before = map(_earlier, map(as_object, noted if isinstance(noted, list) else ()))
    return RunFile(pid, as_text(said.get("url")), tuple(one for one in before if one.pid > 0))


def remove_run_file(path: Path, pid: int) -> None:
    """Take the file away, unless another proxy has written it since, or back to one that still runs."""
    found = read_run_file(path)
    if found is None or found.pid != pid:
        return
    others = [one for one in found.before if _lives(one)]
    if others and _write(path, replace(others[0], before=tuple(others[1:]))):
        return
    with suppress(OSError):
        path.unlink()


def _earlier(noted: Mapping[str, Json]) -> RunFile:
    return RunFile(as_count(noted.get("pid")), as_text(noted.get("url")))


def _lives(noted: RunFile) -> bool:
    if noted.pid == os.getpid() or os.name != "posix":  # elsewhere signal 0 is a signal
        return False
    try:
        os.kill(noted.pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _write(path: Path, content: RunFile) -> bool:
    before: list[Json] = [{"pid": one.pid, "url": one.url} for one in content.before[:_REMEMBERED]]
    said: Json = {"url": content.url, "before": before}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(f"{content.pid}\n{json.dumps(said)}\n", encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return False
    return True
