"""What other processes do in tests; importable by name, so that a fresh interpreter finds it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from piproxy.pi.auth_file import AuthFile
from piproxy.pi.lock import DirectoryLock


def run_together(work: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> list[int | None]:
    """Run each function in a fresh process of its own, all at once; gives their exit codes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=function, args=arguments) for function, arguments in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def count_up(target: Path, times: int) -> None:
    """Read a number, write the next one, under the lock."""
    for _ in range(times):
        with DirectoryLock(target):
            target.write_text(str(int(target.read_text()) + 1))


def count_entry(path: Path, key: str, times: int) -> None:
    """Count one entry's ``expires`` up, by read-modify-writes of the whole file."""
    file = AuthFile(path)
    for _ in range(times):
        file.update(key, lambda entry: {**entry, "expires": entry["expires"] + 1})
