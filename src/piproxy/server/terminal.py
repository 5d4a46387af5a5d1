"""The standard streams and the terminal of whoever started the proxy: both may go away while it runs."""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress
from typing import Final, TextIO

PATIENCE: Final = 0.2
"""Seconds that whoever reads the log may be behind, while everybody waits."""
_GONE: Final = frozenset((errno.EPIPE, errno.EIO))
_STDERR: Final = 2


def takes(stream: TextIO | None, seconds: float) -> bool:
    """Is there room for a line, now or within so many ``seconds``?

    A pipe that nobody empties is full after a few hundred lines, and the next write would stop the whole proxy.
    """
    if stream is None:
        return True
    try:
        return bool(select.select((), (stream,), (), seconds)[1])
    except (OSError, ValueError):
        return True  # no file of which the system could tell


def write_line(stream: TextIO | None, line: str) -> None:
    """One whole line in one write, so that lines of several processes do not mix.

    Where nobody reads any more, or a disk is full, the line is lost. That is no reason to end what others wait for.
    """
    if stream is None:  # the program was started without one
        return
    try:
        stream.write(line + "\n")
        stream.flush()
    except OSError as exc:
        if exc.errno in _GONE:
            _forget(stream)


def _forget(stream: TextIO) -> None:
    """What is left in the stream's buffer must not fail again at the end: the exit code would be 120."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Terminal:
    """The terminal that shows the log, if there is one.

    When it is closed, the system says SIGHUP, as does whoever wants the settings to be read again. A proxy that was
    left behind by its window would hold its port unseen.
    """

    def __init__(self) -> None:
        self._there = os.isatty(_STDERR)

    @property
    def closed(self) -> bool:
        return self._there and not os.isatty(_STDERR)
