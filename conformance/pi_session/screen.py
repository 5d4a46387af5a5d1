"""A program in a terminal that can be looked at: tmux."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.pi_session.pis import PATIENCE

_REST: Final = 1.0
"""Seconds without a change after which a screen is taken to stay."""


class Screen:
    """A terminal of so many columns and rows, in a tmux server of its own."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], where: Path, size: tuple[int, int] = (80, 32)
    ) -> None:
        # A path of its own: that of a test's directory may be longer than a unix socket's may be.
        self._folder = tempfile.mkdtemp(prefix="screen-")
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in environ.items())
        # A test process that is killed leaves nothing behind, either.
        watch = f"(while kill -0 {os.getpid()}; do sleep 2; done; {shlex.join(self._server)} kill-server) 2>/dev/null &"
        run = f"env -i {words} {shlex.join(command)}; echo; echo ended: $?; sleep 600"
        line = f"{watch} cd {shlex.quote(str(where))}; {run}"
        columns, rows = map(str, size)
        try:
            self._tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "sh", "-c", line)
        except BaseException:
            self.close()
            raise

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: ``Enter``, ``Escape``, ``Down``, ``C-u``."""
        for key in keys:
            self._tmux("send-keys", key)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

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

    def settled(self) -> str:
        """The screen, as soon as it has been the same for a second."""
        before, since = self.text(), time.monotonic()
        end = since + PATIENCE
        while time.monotonic() - since < _REST:
            time.sleep(0.1)
            screen = self.text()
            if screen != before:
                before, since = screen, time.monotonic()
            assert since < end, f"the screen does not come to rest:\n{screen}"
        return before

    def close(self) -> None:
        subprocess.run([*self._server, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _server(self) -> tuple[str, ...]:
        return ("tmux", "-u", "-S", f"{self._folder}/tmux")

    def _tmux(self, *words: str) -> str:
        command = [*self._server, *words]
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        return done.stdout
