from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from piproxy.pi.sources import Watched, read_auth


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "auth.json"
    file.write_text('{"groq": {"type": "api_key", "key": "k"}}')
    return file


def test_a_file_that_was_emptied_this_instant_is_still_what_it_was(path: Path) -> None:
    """pi truncates, then writes; nobody is logged out in between."""
    watched = Watched(path, read_auth)
    before = watched.current()
    path.write_text("")
    assert watched.current() is before
    assert watched.problems == ()
    path.write_text('{"xai": {}}')
    assert list(watched.current().entries) == ["xai"]


def test_a_file_that_stays_empty_is_empty(path: Path) -> None:
    """After a second it is meant so."""
    watched = Watched(path, read_auth)
    path.write_text("")
    then = time.time() - 2
    os.utime(path, (then, then))
    assert watched.current().entries == {}


def test_a_file_that_is_half_written_is_read_again_and_not_told(path: Path) -> None:
    """Whoever asks next reads it again, whatever the time stamp tells; only what stays broken is a problem."""
    watched = Watched(path, read_auth)
    before = watched.current()
    path.write_text('{"xai": {"type"')
    assert (watched.current(), watched.problems) == (before, ())
    path.write_text('{"xai": {"type":')
    then = time.time() - 2
    os.utime(path, (then, then))
    assert watched.current() is before
    assert [problem.line for problem in watched.problems] == [1]
    path.write_text('{"xai": {}}')
    assert list(watched.current().entries) == ["xai"]
    assert watched.problems == ()
