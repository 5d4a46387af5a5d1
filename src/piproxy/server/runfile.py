"""``proxy.pid`` in pi's directory: which piproxy runs, and where.

The first line is the process id alone, as the Node proxy writes and reads it (pi-on-disk.md, 9.4 and 10.3); the second
one is JSON. There is one such file, and the proxy that started last has it. A file says what was, not what is: whoever
reads it asks the proxy itself before believing it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from piproxy.jsontext import Json


@dataclass(frozen=True, slots=True)
class RunFile:
    """What the file says; ``url`` is empty when the Node proxy wrote it."""

    pid: int
    url: str = ""


def write_run_file(path: Path, addresses: Sequence[str]) -> bool:
    """Say that this process listens there; False where nothing can be written, which stops no proxy."""
    said: Json = {"url": addresses[0], "addresses": list(addresses)}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_text(f"{os.getpid()}\n{json.dumps(said)}\n", encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


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
        url = json.loads(rest)["url"]
    except (ValueError, LookupError, TypeError):
        url = ""
    return RunFile(pid, url if isinstance(url, str) else "")


def remove_run_file(path: Path, pid: int) -> None:
    """Take the file away, unless another proxy has written it since."""
    found = read_run_file(path)
    if found is not None and found.pid == pid:
        with suppress(OSError):
            path.unlink()
