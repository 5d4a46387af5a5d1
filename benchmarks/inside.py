"""piproxy with a window: serves until its stdin ends, and answers each line there with what it holds at that moment."""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.process import connections
from piproxy.exchange import providers
from piproxy.replay import ReplayMemory
from piproxy.server import lifecycle
from piproxy.settings.load import Flag

FLAGS: Final[Mapping[str, Flag]] = {
    "port": 0,
    "demo": True,
    "catalog": "snapshot",
    "connect_timeout_sec": 2,
    "first_byte_timeout_sec": 2,
    "idle_timeout_sec": 1,
    "log_format": "json",
}


REMEMBERED: Final = 20
"""Tool calls whose signatures are remembered, of 10,000 otherwise: so that this memory is full before any counting."""


async def main(directory: str) -> None:
    vars(providers)["ReplayMemory"] = partial(ReplayMemory, max_entries=REMEMBERED)
    environ = {"PI_CODING_AGENT_DIR": directory}
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(partial(lifecycle.main, FLAGS, environ))
        tell({"address": addresses[0]})
        async with trio.lowlevel.FdStream(os.dup(0)) as orders:
            while await orders.receive_some(4096):
                gc.collect()
                tell({**figures(), "connections": connections(), "tree": list(tree())})
                if tracemalloc.is_tracing():  # PYTHONTRACEMALLOC=1 finds what grows
                    _tell_growth()
        nursery.cancel_scope.cancel()


def figures() -> dict[str, float]:
    """Trio tasks, file descriptors, sockets among them, and resident memory in MB."""
    kinds = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own is gone by now
            kinds.append(str(fd.readlink()))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": sum(1 for _ in tree()),
        "fds": len(kinds),
        "sockets": sum(kind.startswith("socket:") for kind in kinds),
        "rss": pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024,
        "objects": len(gc.get_objects()),
    }


_snapshots: list[tracemalloc.Snapshot] = []


def _tell_growth() -> None:
    """What has been added since the second time, by line, to stderr."""
    _snapshots.append(tracemalloc.take_snapshot())
    if len(_snapshots) > 2:
        _snapshots[2:] = _snapshots[-1:]
        for line in _snapshots[-1].compare_to(_snapshots[1], "lineno")[:25]:
            sys.stderr.write(f"{line}\n")
        sys.stderr.write("\n")


def tree() -> Iterator[str]:
    """The trio tasks, each below the one that started it, with the line of ours or of Hypercorn's where it waits."""
    root = trio.lowlevel.current_root_task()
    todo = [] if root is None else [(0, root)]
    while todo:
        depth, task = todo.pop()
        frames = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in task.iter_await_frames()]
        yield f"{'  ' * depth}{task.name} at {' > '.join(frames[-6:])}"
        todo += [(depth + 1, child) for nursery in task.child_nurseries for child in nursery.child_tasks]


def tell(what: object) -> None:
    sys.stdout.write(f"soak {json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
