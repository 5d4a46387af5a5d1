"""A terminal in raw mode: keys in, lines out. POSIX and Windows, nothing but the standard library."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from piproxy.cli.panel import Line, Panel, fitted

_STYLES: Final = {"": "", "title": "\x1b[1;36m", "picked": "\x1b[36m", "dim": "\x1b[2m", "bad": "\x1b[31m"}
_WITHOUT_COLOUR: Final = {**_STYLES, "title": "\x1b[1m", "picked": "\x1b[1m", "bad": "\x1b[1m"}
"""For those who set NO_COLOR."""
_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_ESCAPE_DELAY: Final = 0.05
"""Seconds in which the rest of a key's sequence follows its escape character."""

SEQUENCES: Final = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[3~": "delete",
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x01": "home",
    "\x05": "end",
    "\x15": "clear",
    "\x03": "interrupt",
    "\x04": "interrupt",
}


def keys(text: str) -> Iterator[str]:
    """The names of the keys in what a terminal sent at once."""
    while text:
        if text[0] != "\x1b" or len(text) == 1:
            end = 1
        elif text[1] in "[O":
            end = 2 + next((at for at, c in enumerate(text[2:], 1) if "@" <= c <= "~"), len(text) - 2)
        else:
            end = 1
        yield SEQUENCES.get(text[:end], text[:end])
        text = text[end:]


def painted(lines: list[Line], width: int, height: int) -> str:
    """The lines for a terminal, over what was there."""
    styles = _WITHOUT_COLOUR if os.environ.get("NO_COLOR") else _STYLES
    rows = []
    for pieces in lines[:height]:
        styled = (f"{styles[style]}{text}\x1b[0m" if style else text for text, style in fitted(pieces, width))
        rows.append("".join(styled) + "\x1b[K")
    return "\x1b[H" + "\r\n".join(rows) + "\x1b[J"


def size() -> tuple[int, int]:
    """Columns and rows as they are now; those that the environment names only where the terminal does not tell."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        columns = rows = 0
    return (columns, rows) if columns and rows else shutil.get_terminal_size()


def run(panel: Panel) -> None:
    """Show the panel until it is closed."""
    with _raw() as read:
        sys.stdout.write(_ENTER)
        try:
            while not panel.closed:
                width, height = size()
                sys.stdout.write(painted(panel.lines(width, height), width, height))
                sys.stdout.flush()
                for name in keys(read()):
                    panel.key(name)
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()


if sys.platform == "win32":
    import msvcrt

    _EXTENDED: Final = {
        "H": "\x1b[A",
        "P": "\x1b[B",
        "K": "\x1b[D",
        "M": "\x1b[C",
        "G": "\x1b[H",
        "O": "\x1b[F",
        "S": "\x1b[3~",
        "I": "\x1b[5~",
        "Q": "\x1b[6~",
    }

    @contextmanager
    def _raw() -> Iterator[Callable[[], str]]:
        os.system("")  # noqa: S605, S607  (switches a console to escape sequences)

        def read() -> str:
            first = msvcrt.getwch()
            return _EXTENDED.get(msvcrt.getwch(), "") if first in "\x00\xe0" else first

        yield read

else:
    import codecs
    import select
    import signal
    import termios
    import tty

    @contextmanager
    def _raw() -> Iterator[Callable[[], str]]:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        resized, wake = os.pipe()
        os.set_blocking(wake, False)
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

        def read() -> str:
            """What was typed; nothing when the terminal has another size now."""
            if descriptor not in select.select([descriptor, resized], [], [])[0]:
                os.read(resized, 1024)
                return ""
            data = os.read(descriptor, 1024)
            while data.endswith(b"\x1b") and select.select([descriptor], [], [], _ESCAPE_DELAY)[0]:
                data += os.read(descriptor, 1024)
            return decoder.decode(data) if data else "\x04"

        earlier = signal.signal(signal.SIGWINCH, lambda *_: None)
        woken = signal.set_wakeup_fd(wake)
        try:
            tty.setraw(descriptor)
            yield read
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            signal.set_wakeup_fd(woken)
            signal.signal(signal.SIGWINCH, earlier)
            os.close(resized)
            os.close(wake)
