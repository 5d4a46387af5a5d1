"""The settings panel, in the real pi and as ``piproxy config edit``, in a terminal.

What was seen is what ``docs/panel.md`` shows; with ``PIPROXY_PANEL_CAPTURE`` set to a directory it is written there.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.pi_session.pis import Session, wait_for
from conformance.pi_session.screen import Screen

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="the panel needs a terminal, and there is no tmux")


PAGE = Path(__file__).parents[2] / "docs" / "panel.md"


@pytest.fixture
def screen(session: Session) -> Iterator[Screen]:
    """pi with its panel open."""
    with panel(session) as made:
        yield made


@contextmanager
def panel(session: Session, size: tuple[int, int] = (80, 32)) -> Iterator[Screen]:
    """pi with its panel open: pi runs the command by itself, so that no key is lost while it starts."""
    made = Screen([*session.pi, "--no-session", "/proxy config"], session.environ, session.home, size)
    try:
        made.wait_for("Changes are saved at once.")
        yield made
    finally:
        made.close()


def documented(name: str, screen: Screen) -> None:
    """The screen becomes one that the documents show, but for the port."""
    folder = os.environ.get("PIPROXY_PANEL_CAPTURE")
    if folder:
        Path(folder, f"{name}.txt").write_text(_panel(screen.settled()), encoding="utf-8")
    shown = re.findall("```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    wanted = [_without_port(text) for text in shown]
    screen.wait_until(f"a screen of {PAGE.name}", lambda text: _without_port(_panel(text)) in wanted)


def _panel(text: str) -> str:
    """Of pi's screen only the panel, not what it stands on."""
    boxes = re.findall("[╭│╰].*[╮│╯]", text)
    lines = boxes or [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def _without_port(screen: str) -> str:
    return re.sub(r"( Port +)\d+ *", r"\1", screen)


def test_panel(session: Session, screen: Screen) -> None:
    """Numbers are typed and judged, choices and switches change at once, members are searched and picked."""
    documented("panel", screen)

    screen.type("port")
    screen.wait_for("Port to listen on")
    screen.press("Enter")
    screen.wait_for("Enter to save")
    screen.press("C-u")
    screen.type("99999")
    screen.press("Enter")
    screen.wait_for("allowed is")
    screen.press("C-u")
    screen.type("5005")
    screen.press("Enter")
    screen.wait_for("Saved: Port is 5005.")
    assert session.config()["port"] == 5005

    search(screen, "remote")
    screen.press("Enter")
    screen.wait_for("Saved: Remote images is true.")
    search(screen, "exposure")
    screen.press("Enter", "Enter")
    screen.wait_for("Saved: Model exposure mode is custom.")
    assert (session.config()["remoteImages"], session.config()["modelExposureMode"]) == (True, "custom")

    search(screen, "custom")
    screen.press("Enter")
    screen.wait_for("[ ] ")
    screen.type("gpt-5")
    screen.press("Enter")
    screen.wait_for("[x] openai/gpt-5 ", "Saved: Custom models is openai/gpt-5.")
    documented("models", screen)
    assert session.config()["customModels"] == ["openai/gpt-5"]
    screen.press("Escape")
    screen.wait_until_gone("[x] ")

    search(screen, "prefixes")
    screen.press("Enter")
    screen.wait_for("Esc to go back")
    screen.type("openai")
    screen.press("Enter")
    screen.wait_for("Provider prefixes: openai")
    screen.type("oa")
    screen.press("Enter")
    screen.wait_for("oa = openai", "Saved: Provider prefixes is")
    assert session.config()["providerPrefixes"] == {"openai": "oa"}


def test_token(session: Session, screen: Screen) -> None:
    """A new token is made by the panel, shown once and masked from then on."""
    search(screen, "token")
    screen.press("Enter")
    screen.wait_for("a new random token")
    screen.press("Enter")
    found = re.search("The token is ([0-9a-f]{32})", screen.wait_for("shown this once"))
    assert found
    assert session.config()["authToken"] == found[1]
    search(screen, "remote")
    screen.press("Enter")
    screen.wait_for("Saved: Remote images")
    screen.wait_until_gone(found[1])


def test_escape_closes_it(session: Session, screen: Screen) -> None:
    """Escape goes back to pi's prompt; the settings are as they were."""
    before = session.config()
    screen.press("Escape")
    screen.wait_until_gone("Changes are saved at once.")
    assert session.config() == before


def test_a_small_terminal(session: Session) -> None:
    """In 60 columns and 20 rows the panel still shows its lower edge, and what it has to say in full."""
    with panel(session, (60, 20)) as screen:
        search(screen, "port")
        screen.press("Enter")
        screen.wait_for("Enter to save")
        screen.press("C-u")
        screen.type("99999")
        screen.press("Enter")
        screen.wait_for("allowed is", "Enter to save", "╰")
        screen.press("Escape")
        screen.wait_until_gone("Enter to save")
        search(screen, "custom")
        screen.press("Enter")
        screen.wait_for("(1/", "Esc to go back", "╰")


def test_settings_that_somebody_broke(session: Session) -> None:
    """The panel says at once that the file is broken, leaves it, and shows no change that was not made."""
    broken = session.agent / "proxy-config.json"
    broken.write_text('{"port": 41', encoding="utf-8")
    made = Screen([*session.pi, "--no-session", "/proxy config"], session.environ, session.home)
    try:
        wait_for_words(made, "the defaults are used")
        search(made, "custom")
        made.press("Enter")
        made.wait_for("[ ] ")
        made.type("gpt-5")
        made.wait_for("[ ] openai/gpt-5 ")
        made.press("Enter")
        wait_for_words(made, "mend or remove the file first.")
        made.wait_for("[ ] openai/gpt-5 ")
        assert broken.read_text(encoding="utf-8") == '{"port": 41'
    finally:
        made.close()


def test_what_comes_after_the_panel_was_closed(session: Session) -> None:
    """A change that is refused when the panel is gone already is told in pi itself."""
    hold = session.hold("config set")
    with panel(session) as screen:
        search(screen, "remote")
        screen.press("Enter")
        wait_for("the change", hold.asked.exists)
        screen.press("Escape")
        screen.wait_until_gone("Changes are saved at once.")
        (session.agent / "proxy-config.json").write_text("[", encoding="utf-8")
        hold.go.touch()
        wait_for_words(screen, "mend or remove the file first.")


def test_completion_and_opening_by_hand(screen: Screen) -> None:
    """pi completes the subcommands, and what is typed opens the panel."""
    screen.press("Escape")
    screen.wait_until_gone("Changes are saved at once.")
    screen.type("/proxy st")
    screen.wait_for("say whether a proxy runs", "stop the proxy that this session started")
    screen.press("C-u")
    screen.wait_until_gone("/proxy st")
    screen.type("/proxy conf")
    screen.wait_for("open the settings panel; also /proxy alone")
    screen.press("Enter")
    screen.wait_until_gone("open the settings panel; also /proxy alone")
    screen.wait_for("/proxy config")
    screen.press("Enter")
    screen.wait_for("Changes are saved at once.")


def test_the_same_panel_without_pi(session: Session) -> None:
    """``piproxy config edit`` has the same entries."""
    command = [sys.executable, "-m", "piproxy", "config", "edit"]
    made = Screen(command, session.environ, session.home)
    try:
        made.wait_for("Changes are saved at once.")
        documented("edit", made)
        made.type("custom")
        made.wait_for("→ Custom models")
        made.press("Enter")
        made.wait_for("[ ] ")
        made.type("gpt-5")
        made.press("Enter")
        made.wait_for("[x] openai/gpt-5 ", "Saved: Custom models is openai/gpt-5.")
        assert session.config()["customModels"] == ["openai/gpt-5"]
    finally:
        made.close()


def wait_for_words(screen: Screen, words: str) -> None:
    """Words that may be broken into lines, in the panel or not."""
    screen.wait_until(repr(words), lambda text: words in re.sub("[\\s│─]+", " ", text))


def search(screen: Screen, word: str) -> None:
    """Put another word into the panel's search."""
    screen.press("C-u")
    screen.type(word)
    screen.wait_for(f"> {word}")
