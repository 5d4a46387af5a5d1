"""Plays recorded provider traffic through an installed piproxy, over real sockets, and fails unless every play passes.

The recordings and the player lie beside the checkout (``../shared``); without them there is nothing to do. The player
reads the truth with the vendors' own SDKs, so it has a virtual environment of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
SHARED: Final = HERE.parents[1] / "shared"
KNOWN: Final = HERE / "known_plays.toml"
CUTS: Final = (None, 1)
"""How the provider's bytes arrive: as recorded, and one by one."""


@dataclass(frozen=True, slots=True, order=True)
class Play:
    """One recording in one client mode."""

    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    passed: frozenset[Play]
    failed: dict[Play, str]
    """Play -> what is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    tool = options.shared / "tools" / "recordings"
    if not (tool / "play.py").exists():
        print(f"no recordings in {options.shared}: nothing is played")
        return 0
    table = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    apis: list[str] = options.api or table["apis"]
    known = {Play(row["name"], row["mode"]): str(row["reason"]) for row in table.get("known", ())}
    python = _environment(options.venv, tool / "requirements.txt")
    with ThreadPoolExecutor() as threads:
        outcomes = threads.map(lambda cut: _play(python, tool, options, apis, cut), CUTS)
        bad = sum(_report(outcome, known, apis, cut) for outcome, cut in zip(outcomes, CUTS, strict=True))
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with cassettes/ and tools/recordings/")
    parser.add_argument("--venv", type=Path, required=True, help="virtual environment of the player; made if missing")
    parser.add_argument("--piproxy", default="piproxy", help="the command under test")
    parser.add_argument("--api", action="append", help="only this recorded api (repeatable); default: known_plays.toml")
    return parser


def _environment(venv: Path, requirements: Path) -> Path:
    """The player's Python, with its requirements installed once."""
    python = venv / "bin" / "python"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        uv = shutil.which("uv")
        install: list[str | Path] = (
            [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        )
        subprocess.run([*install, "-q", "-r", requirements], check=True)
        stamp.write_text(wanted)
    return python


def _play(python: Path, tool: Path, options: argparse.Namespace, apis: Sequence[str], cut: int | None) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        command = [python, tool / "play.py", "--target", "python", "--set", options.shared / "cassettes"]
        command += ["--out", results, *(word for api in apis for word in ("--api", api))]
        command += ["--cut", str(cut)] if cut else []
        env = {**os.environ, "PIPROXY": str(options.piproxy)}
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the player failed\n{done.stdout}\n{done.stderr}")
        print(done.stdout.splitlines()[-1])
        rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()[1:]]
    played = [row for row in rows if "mode" in row]
    passed = frozenset(Play(row["name"], row["mode"]) for row in played if row["pass"])
    failed = {
        Play(row["name"], row["mode"]): json.dumps(row.get("why") or row.get("na"), ensure_ascii=False)
        for row in played
        if not row["pass"]
    }
    return Outcome(passed, failed)


def _report(outcome: Outcome, known: dict[Play, str], apis: Sequence[str], cut: int | None) -> int:
    """Print what is wrong; the number of complaints."""
    form = f"{cut} byte at a time" if cut else "as recorded"
    print(f"{', '.join(apis)}, {form}: {len(outcome.passed)} plays pass, {len(outcome.failed)} fail")
    new = {play: why for play, why in sorted(outcome.failed.items()) if play not in known}
    for play, why in new.items():
        print(f"  FAILED {play.name} {play.mode}: {why[:500]}")
    stale = sorted(known.keys() & outcome.passed)
    for play in stale:
        print(f"  PASSES, yet known_plays.toml says it cannot: {play.name} {play.mode}")
    return len(new) + len(stale) + (not outcome.passed)


if __name__ == "__main__":
    sys.exit(main())
