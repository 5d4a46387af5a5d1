"""The settings panel of ``piproxy config edit``: keys in, lines out; then in a real terminal."""

from __future__ import annotations

import json
import os
import re
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
        seen = ""
        for awaited, sent in (
            ("Changes are saved at once.", "port"),
            ("Port to listen on", "\r"),
            ("Enter to save", "\x15" + "8080\r"),
            ("Saved: Port is 8080", "\x1b"),
            ("\x1b[?1049l", ""),
        ):
            while awaited not in seen:
                seen += os.read(ours, 65536).decode(errors="ignore")
            seen = seen.partition(awaited)[2]
            os.write(ours, sent.encode())
        assert process.wait(20) == 0
    os.close(ours)
    assert json.loads((home.agent / "proxy-config.json").read_text()) == {"port": 8080}


def test_without_a_terminal(home: Home) -> None:
    """The panel says what to use instead."""
    done = home.piproxy("config", "edit")
    assert done.returncode == 2
    assert "piproxy config set" in done.stderr
