"""pi and piproxy write one auth.json together, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from piproxy.pi.jsonfile import dump
from piproxy.pi.sources import read_auth

HERE = Path(__file__).parent
WRITERS = 3
TIMES = 60
LIMIT = 240.0
"""Seconds for one race."""

UNTOUCHED = {"zz": {"type": "unknown", "text": "\u043a\u043b\u044e\u0447 \u2028", "list": [1, {"deep": None}]}}


@pytest.mark.parametrize("version", ["0.87.1", "1.5.2"])
def test_no_update_is_lost(version: str, node: str, storage_of: Callable[[str], Path], tmp_path: Path) -> None:
    """Writers of pi and of piproxy by a symlink (and by the real name where pi allows it), on one entry."""
    real = tmp_path / "real" / "auth.json"
    real.parent.mkdir()
    entries = {key: {"type": "oauth", "access": "a", "refresh": "r", "expires": 0} for key in ("pi", "both")}
    real.write_bytes(dump(entries | UNTOUCHED))
    link = tmp_path / "auth.json"
    link.symlink_to(real)

    # pi 0.87.1 locks the name it was given and knows no other: there, everybody must come by the same name.
    names = [link] if version == "0.87.1" else [link, real]
    script = [node, str(HERE / "writer.mjs"), str(storage_of(version))]
    ours = [sys.executable, str(HERE / "writer.py")]
    began = time.monotonic()
    running = [
        *(_start([*script, str(names[i % len(names)]), "both", str(TIMES)]) for i in range(WRITERS)),
        *(_start([*ours, str(names[(i + 1) % len(names)]), "both", str(TIMES)]) for i in range(WRITERS)),
        _start([*script, str(link), "pi", str(TIMES)]),
    ]
    reads = _watch(link, running)
    failures = [process.stderr.read() for process in running if process.returncode and process.stderr]
    for process in running:
        if process.stderr:
            process.stderr.close()
    found = json.loads(real.read_bytes())
    print(
        f"\npi {version}: {WRITERS + 1} writers of pi and {WRITERS} of piproxy, {TIMES} read-modify-writes each; "
        f"counted {found['both']['expires']} of {2 * WRITERS * TIMES} and {found['pi']['expires']} of {TIMES}; "
        f"{reads} reads without the lock, none broken; {time.monotonic() - began:.1f} s"
    )
    assert failures == []
    assert (found["both"]["expires"], found["pi"]["expires"]) == (2 * WRITERS * TIMES, TIMES)
    assert real.read_bytes() == dump({"pi": found["pi"], "both": found["both"]} | UNTOUCHED)
    assert link.is_symlink()
    assert sorted(path.name for path in real.parent.iterdir()) == ["auth.json"]


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _watch(path: Path, running: list[subprocess.Popen[str]]) -> int:
    """Read without the lock until the writers are done; what is read must be whole."""
    reads = 0
    deadline = time.monotonic() + LIMIT
    while any(process.poll() is None for process in running):
        found = read_auth(path)
        assert found.problems == ()
        assert set(found.entries) == {"pi", "both", "zz"}
        reads += 1
        time.sleep(0.002)
        if time.monotonic() > deadline:
            for process in running:
                process.kill()
            raise AssertionError("the writers did not come to an end")
    return reads
