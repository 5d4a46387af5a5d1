"""``piproxy`` as a program of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.readme import serving

KEEP = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG", "VIRTUAL_ENV")


@dataclass
class Home:
    """An empty home directory; ``environ`` is added to what little of the process's environment is kept."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> Path:
        """pi's directory, not made yet."""
        return self.path / ".pi" / "agent"

    def write(self, name: str, content: Any, mode: int = 0o600) -> Path:
        """A file in pi's directory; anything but text is written as JSON."""
        self.agent.mkdir(parents=True, exist_ok=True)
        path = self.agent / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        path.chmod(mode)
        return path

    def environment(self) -> Mapping[str, str]:
        kept = {name: os.environ[name] for name in KEEP if name in os.environ}
        return {**kept, "HOME": str(self.path), "PYTHONWARNINGS": "error", **self.environ}

    def piproxy(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end; ``given`` is its standard input."""
        return subprocess.run(
            [sys.executable, "-m", "piproxy", *arguments],
            env=dict(self.environment()),
            cwd=self.path,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        """A running proxy on a free port: its first line and its process."""
        with serving([sys.executable, "-m", "piproxy", *arguments], self.environment()) as running:
            yield running
