"""A program in a terminal that can be looked at: tmux."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
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

    def wait_for(self, *texts: str) -> str:
        """The screen, as soon as all the texts are on it."""
        return self.wait_until(f"{texts} on the screen", lambda screen: all(text in screen for text in texts))

    def wait_until_gone(self, text: str) -> str:
        return self.wait_until(f"{text!r} gone from the screen", lambda screen: text not in screen)

    def wait_until(self, what: str, judge: Callable[[str], bool]) -> str:
        """The screen, as soon as ``judge`` accepts it: one that is looked at in mid-draw is looked at again."""
        end = time.monotonic() + PATIENCE
        while not judge(screen := self.text()):
            assert time.monotonic() < end, f"waited for {what}, but there is:\n{screen}"
            time.sleep(0.2)
        return screen

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
