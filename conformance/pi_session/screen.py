"""A program in a terminal that can be looked at: tmux."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.pi_session.pis import PATIENCE


class Screen:
    """80 by 32 characters, in a tmux server of its own."""

    def __init__(self, socket: Path, command: Sequence[str], environ: Mapping[str, str], where: Path) -> None:
        self._socket = str(socket)
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in environ.items())
        line = f"cd {shlex.quote(str(where))}; env -i {words} {shlex.join(command)}; sleep 3600"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "32", "sh", "-c", line)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: ``Enter``, ``Escape``, ``Down``, ``C-u``."""
        for key in keys:
            self._tmux("send-keys", key)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def wait_for(self, text: str) -> str:
        """The screen, as soon as the text is on it."""
        return self._wait(text, there=True)

    def wait_until_gone(self, text: str) -> str:
        return self._wait(text, there=False)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _wait(self, text: str, *, there: bool) -> str:
        end = time.monotonic() + PATIENCE
        while (text in (screen := self.text())) is not there:
            assert time.monotonic() < end, f"{text!r} is {'not ' if there else ''}on the screen:\n{screen}"
            time.sleep(0.2)
        return screen

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
