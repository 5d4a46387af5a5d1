"""The settings panel of ``piproxy config edit``: keys in, lines out; then in a real terminal."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from dataclasses import replace

import pytest
from fakes.command import Home

from piproxy.cli.entries import Candidate, Entry
from piproxy.cli.panel import Panel
from piproxy.cli.terminal import keys, painted
from piproxy.errors import ConfigError


def entry(key: str, kind: str, text: str = "", **fields: object) -> Entry:
    made = Entry(key=key, label=key.capitalize(), kind=kind, help="Words.", allowed="much", shown=text, text=text)
    return replace(made, **fields)  # type: ignore[arg-type]


class Desk:
    """A panel and what it saved."""

    def __init__(self, *entries: Entry) -> None:
        self.saved: list[tuple[str, str]] = []
        self.panel = Panel(entries, self.save, random=lambda: "f00d")

    def save(self, key: str, text: str) -> Entry:
        if text == "bad":
            raise ConfigError("That is not allowed.")
        self.saved.append((key, text))
        now = next(entry for entry in self.panel.entries if entry.key == key)
        chosen = tuple(text.split(",")) if now.kind == "strings" and text else ()
        return replace(now, text="" if now.secret else text, shown="***" if now.secret else text, chosen=chosen)

    def press(self, *names: str) -> None:
        for name in names:
            self.panel.key(name)

    @property
    def screen(self) -> str:
        return "\n".join("".join(text for text, _ in line) for line in self.panel.lines(60, 24))


def test_enter_changes_what_has_few_values() -> None:
    """Enter goes to the next value, from the last to the first, and saves each time."""
    desk = Desk(entry("catalog", "choice", "auto", choices=("auto", "snapshot")))
    desk.press("enter", " ")
    assert desk.saved == [("catalog", "snapshot"), ("catalog", "auto")]
    assert "Saved: Catalog is auto." in desk.screen


def test_text_is_edited_and_judged() -> None:
    """What is refused stays open with the reason; what is taken closes."""
    desk = Desk(entry("port", "integer", "41"))
    desk.press("enter")
    assert "Allowed: much." in desk.screen
    desk.press("clear", *"bad", "enter")
    assert "That is not allowed." in desk.screen
    assert "Enter to save" in desk.screen
    desk.press("home", "delete", "end", "backspace", "backspace", *"502", "left", "backspace", "1", "enter")
    assert desk.saved == [("port", "512")]
    assert "Enter to change" in desk.screen


def test_escape_changes_nothing() -> None:
    """Escape leaves a field, then the panel."""
    desk = Desk(entry("port", "integer", "41"))
    desk.press("enter", *"77", "escape")
    assert not desk.panel.closed
    desk.press("escape")
    assert desk.panel.closed
    assert desk.saved == []


def test_lists_are_searched_and_picked_from() -> None:
    """Typing narrows a list; enter takes a member in and out; one that is gone is still shown."""
    models = tuple(Candidate(f"openai/gpt-{number}", f"GPT {number}") for number in range(30))
    desk = Desk(entry("customModels", "strings", "x/old", candidates=models, chosen=("x/old",)))
    desk.press("enter")
    assert "[x] x/old  not available" in desk.screen
    assert "(1/31)" in desk.screen
    desk.press(*"gpt-17", "enter")
    assert desk.saved[-1] == ("customModels", "x/old,openai/gpt-17")
    assert "[x] openai/gpt-17" in desk.screen
    desk.press("enter")
    assert desk.saved[-1] == ("customModels", "x/old")
    desk.press(*"xyz")
    assert "Nothing fits." in desk.screen


def test_a_map_has_one_field_per_name() -> None:
    """A prefix is given, changed and taken away for one provider at a time."""
    candidates = (Candidate("openai"), Candidate("xai"))
    desk = Desk(entry("providerPrefixes", "map", "xai=x", candidates=candidates))
    desk.press("enter", "down", "enter", *"oa", "enter")
    assert desk.saved[-1] == ("providerPrefixes", "xai=x,openai=oa")
    desk.press("up", "enter", "backspace", "enter")
    assert desk.saved[-1] == ("providerPrefixes", "openai=oa")


def test_a_token_is_shown_once() -> None:
    """A new token is made, saved and shown; afterwards there is only its mask."""
    desk = Desk(entry("authToken", "string", secret=True), entry("port", "integer", "41"))
    desk.press("enter", "enter")
    assert desk.saved == [("authToken", "f00d")]
    assert "The token is f00d" in desk.screen
    desk.press("down", "enter", "escape", "up", "enter", "up", "enter")
    assert desk.saved[-1] == ("authToken", "")
    assert "f00d" not in desk.screen


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("\x1b[A\x1b[B", ["up", "down"]),
        ("a\r\x7f", ["a", "enter", "backspace"]),
        ("\x1b", ["escape"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1b[5~x", ["pageup", "x"]),
        ("\x1bOAé\x03", ["up", "é", "interrupt"]),
    ],
)
def test_keys_have_names(sent: str, names: list[str]) -> None:
    """What a terminal sends is cut into keys."""
    assert list(keys(sent)) == names


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 12), (12, 5)])
def test_the_panel_fits_every_terminal(width: int, height: int) -> None:
    """No line is wider and no screen higher than the terminal, and control characters are not sent to it."""
    desk = Desk(*(entry(f"k{number}", "string", "wide \x1b[2J" * 20) for number in range(40)))
    text = painted(desk.panel.lines(width, height), width, height)
    assert "\x1b[2J" not in text
    assert text.count("\r\n") < height


def test_what_is_said_is_said_in_full() -> None:
    """A long complaint is wrapped, and stays on a small screen; what was wrong before is said at once."""
    complaint = "proxy-config.json is broken in a way that takes many words: mend or remove the file first."
    entries = [entry(f"k{number}", "integer") for number in range(40)]
    panel = Panel(entries, lambda *_: entries[0], trouble=complaint)
    for width, height in ((60, 24), (40, 12), (30, 9)):
        shown = painted(panel.lines(width, height), width, height)
        assert complaint in re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set the panel is bold and dim, and has no colour."""
    desk = Desk(entry("port", "integer"))
    coloured = painted(desk.panel.lines(80, 24), 80, 24)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = painted(desk.panel.lines(80, 24), 80, 24)
    assert "\x1b[1;36m" in coloured
    assert set(re.findall(r"\x1b\[([0-9;]*)m", plain)) <= {"0", "1", "2"}


def test_in_a_terminal(home: Home) -> None:
    """The command, in a terminal: a value is searched, changed and saved, and the terminal is as before."""
    import pty  # noqa: PLC0415

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "piproxy", "config", "edit"],
        env={**home.environment(), "TERM": "xterm", "LINES": "24", "COLUMNS": "80"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        terminal = Terminal(ours)
        terminal.answer("Changes are saved at once.", "port")
        terminal.answer("Port to listen on", "\r")
        terminal.answer("Enter to save", "\x15" + "8080\r")
        terminal.answer("Saved: Port is 8080", "\x1b")
        terminal.answer("\x1b[?1049l", "")
        assert process.wait(60) == 0
    os.close(ours)
    assert json.loads((home.agent / "proxy-config.json").read_text()) == {"port": 8080}


def test_a_terminal_that_changes_its_size(home: Home) -> None:
    """The panel follows the terminal's size without a key, whatever COLUMNS says; Ctrl+C leaves all as it was."""
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    before = termios.tcgetattr(theirs)
    # The terminal tells the processes of the session that it controls of its new size.
    program = "import os, pty, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    with subprocess.Popen(
        [sys.executable, "-c", program, "-m", "piproxy", "config", "edit"],
        env={**home.environment(), "TERM": "xterm", "LINES": "50", "COLUMNS": "200"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        terminal = Terminal(ours)
        terminal.answer("(1/", "")
        terminal.answer("Changes are saved at once.", "")
        termios.tcsetwinsize(ours, (9, 20))
        terminal.answer("Address to listen", "")
        terminal.answer("at once.", "\x03")
        terminal.answer("\x1b[?1049l", "")
        assert process.wait(60) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


class Terminal:
    """Our side of a terminal."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self._seen = ""

    def answer(self, awaited: str, sent: str) -> None:
        """Send it as soon as the other has been seen."""
        while awaited not in self._seen:
            assert select.select([self._ours], [], [], 60)[0], f"{awaited!r} does not come after {self._seen!r}"
            self._seen += os.read(self._ours, 65536).decode(errors="ignore")
        self._seen = self._seen.partition(awaited)[2]
        os.write(self._ours, sent.encode())


def test_without_a_terminal(home: Home) -> None:
    """The panel says what to use instead."""
    done = home.piproxy("config", "edit")
    assert done.returncode == 2
    assert "piproxy config set" in done.stderr
