"""``proxy.pid``: who has it, and who gets it back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from piproxy.server.runfile import RunFile, read_run_file, remove_run_file, write_run_file

HERE = "http://127.0.0.1:4141"


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "proxy.pid"


def test_the_first_line_is_the_id_alone(path: Path) -> None:
    """What the Node proxy reads; the file goes with the process that wrote it."""
    assert write_run_file(path, [HERE, "http://[::1]:4141"])
    assert path.read_text(encoding="utf-8").splitlines()[0] == str(os.getpid())
    assert read_run_file(path) == RunFile(os.getpid(), HERE)
    remove_run_file(path, os.getpid())
    assert not path.exists()


def test_it_goes_back_to_who_had_it_and_still_runs(path: Path, other: subprocess.Popen[bytes]) -> None:
    """Of two earlier ones the dead is forgotten; who has ended while another had the file takes nothing away."""
    path.parent.mkdir()
    before = f'[{{"pid": {2**22 + 1}, "url": "http://gone"}}, {{"pid": {other.pid}, "url": "http://second"}}]'
    path.write_text(f'{2**22 + 2}\n{{"url": "http://gone, too", "before": {before}}}\n', encoding="utf-8")
    write_run_file(path, [HERE])
    second = RunFile(other.pid, "http://second")
    assert read_run_file(path) == RunFile(os.getpid(), HERE, (second,))
    remove_run_file(path, other.pid)
    assert read_run_file(path) == RunFile(os.getpid(), HERE, (second,))
    remove_run_file(path, os.getpid())
    assert read_run_file(path) == second


def test_a_file_of_the_node_proxy_is_given_back(path: Path, other: subprocess.Popen[bytes]) -> None:
    """It holds a process id and nothing else."""
    path.parent.mkdir()
    path.write_text(str(other.pid), encoding="utf-8")
    write_run_file(path, [HERE])
    remove_run_file(path, os.getpid())
    assert path.read_text(encoding="utf-8").splitlines()[0] == str(other.pid)
    assert read_run_file(path) == RunFile(other.pid)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("-3\n{}", None),
        ("nobody", None),
        ("7", RunFile(7)),
        ("7\n[]", RunFile(7)),
        ('7\n{"url": 8, "before": 9}', RunFile(7)),
        ('7\n{"url": "u", "before": [1, {"pid": "x"}, {"pid": 6}]}', RunFile(7, "u", (RunFile(6),))),
    ],
)
def test_what_is_something_else(path: Path, text: str, expected: RunFile | None) -> None:
    """A damaged file is no file, damaged words in it are no words."""
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert read_run_file(path) == expected
