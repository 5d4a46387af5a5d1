"""Standard streams that fail."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Literal

import pytest

from piproxy.server.log import Log
from piproxy.server.terminal import Terminal, takes, write_line


class Failing(io.StringIO):
    """A stream of which every write fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, text: str) -> int:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("stream", [None, Failing(errno.ENOSPC), Failing(errno.EIO), Failing(errno.EPIPE)])
def test_a_line_that_cannot_be_written_is_lost(stream: io.StringIO | None) -> None:
    """No stream, a full disk, a terminal that was closed, a reader that has gone: nothing is raised."""
    assert takes(stream, 0)
    write_line(stream, "told")


def test_a_stream_whose_reader_has_gone_goes_nowhere() -> None:
    """Nothing is left in it that would fail when it is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        write_line(stream, "told")
        write_line(stream, "told again")
        assert os.fstat(writer).st_rdev == Path(os.devnull).stat().st_rdev


@pytest.mark.parametrize("style", ["human", "json"])
def test_a_reader_that_has_stopped_loses_lines(
    style: Literal["human", "json"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full pipe holds nobody up; when somebody reads again, the log says how many lines are missing."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream, os.fdopen(reader, encoding="utf-8") as said:
        monkeypatch.setattr(sys, "stderr", stream)
        log, told = Log(style), 0
        while takes(stream, 0):
            log.event("told", number=told)
            told += 1
        for _ in range(3):
            log.event("lost")
        for number in range(told):
            assert f"{number}" in said.readline()
        log.event("told again")
        missing, again = said.readline(), said.readline()
    assert "nobody took the log's lines" in missing
    assert "3" in missing.partition("lost")[2]
    assert "told again" in again


def test_without_a_terminal_none_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that was there can be."""
    there = False
    monkeypatch.setattr(os, "isatty", lambda number: there and number == 2)
    never = Terminal()
    there = True
    terminal = Terminal()
    assert (never.closed, terminal.closed) == (False, False)
    there = False
    assert (never.closed, terminal.closed) == (False, True)
