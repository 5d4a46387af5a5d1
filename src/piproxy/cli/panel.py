"""The settings panel of ``piproxy config edit``: keys in, lines out. It knows no terminal; see ``terminal``.

The same entries as in pi's panel (:mod:`piproxy.cli.entries`), the same moves, and every change is saved at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from piproxy.cli.entries import Candidate, Entry
from piproxy.errors import ConfigError

Style = Literal["", "title", "picked", "dim", "bad"]
Line = tuple[tuple[str, Style], ...]
"""Pieces of text, each in one style."""

Save = Callable[[str, str], Entry]
"""Key and text -> the entry as it is then. Raises :class:`~piproxy.errors.ConfigError`."""

RANDOM: Final = "a new random token"
OWN: Final = "a token of your own"
NONE: Final = "no token"


class Screen(Protocol):
    """One of the panel's screens."""

    def key(self, name: str) -> None:
        """A key was pressed: a character, or a name such as ``up``, ``enter``, ``escape``."""
        ...

    def lines(self, width: int, height: int) -> list[Line]: ...


def line(text: str = "", style: Style = "") -> Line:
    return ((text, style),)


@dataclass
class Field:
    """One line of text that can be edited."""

    text: str = ""
    at: int = 0

    def key(self, name: str) -> bool:
        """Whether the key was one for editing."""
        match name:
            case "left" | "right":
                self.at = min(max(self.at + (1 if name == "right" else -1), 0), len(self.text))
            case "home" | "end":
                self.at = 0 if name == "home" else len(self.text)
            case "backspace" if self.at:
                self.text, self.at = self.text[: self.at - 1] + self.text[self.at :], self.at - 1
            case "delete":
                self.text = self.text[: self.at] + self.text[self.at + 1 :]
            case "clear":
                self.text, self.at = self.text[self.at :], 0
            case _ if len(name) == 1 and name.isprintable():
                self.text, self.at = self.text[: self.at] + name + self.text[self.at :], self.at + 1
            case _:
                return name == "backspace"
        return True

    def line(self, width: int) -> Line:
        """The text with its cursor; scrolled so that the cursor is seen."""
        first = max(0, self.at - width + 4)
        shown = self.text[first : first + width - 3]
        at = self.at - first
        return (("> ", "dim"), (shown[:at], ""), ((shown[at : at + 1] or " "), "picked"), (shown[at + 1 :], ""))


class Panel:
    """The whole panel; :attr:`closed` when the user has left."""

    def __init__(
        self, entries: Sequence[Entry], save: Save, random: Callable[[], str] = secrets.token_hex, trouble: str = ""
    ) -> None:
        """``trouble``: what is wrong with the settings before anything is changed."""
        self.entries = list(entries)
        self.closed = False
        self.note: tuple[str, Style] = (trouble, "bad") if trouble else ("Changes are saved at once.", "dim")
        self._save = save
        self._random = random
        self._list = List("piproxy", "Enter to change", self._choices, self._open, self._close)
        self._screen: Screen = self._list

    def key(self, name: str) -> None:
        if name == "interrupt":
            self.closed = True
        else:
            self._screen.key(name)

    def lines(self, width: int, height: int) -> list[Line]:
        text, style = self.note
        note = [line(f"  {words}", style) for words in _wrapped(text, width - 2)]
        above = [*self._screen.lines(width, height - 1 - len(note)), line()]
        return [*_shortened(above, height - len(note)), *note]

    def _close(self) -> None:
        self.closed = True

    def _back(self) -> None:
        self._screen = self._list

    def _choices(self) -> list[Choice]:
        longest = max(len(entry.label) for entry in self.entries)
        return [
            Choice(entry.key, f"{entry.label:<{longest}}  ", entry.shown, _about(entry), entry.label)
            for entry in self.entries
        ]

    def _open(self, key: str) -> None:
        entry = next(entry for entry in self.entries if entry.key == key)
        if entry.choices:
            after = entry.choices.index(entry.text) + 1 if entry.text in entry.choices else 0
            self._saved(key, entry.choices[after % len(entry.choices)])
        elif entry.secret:
            choices = [Choice(value, value) for value in (RANDOM, OWN, NONE)]
            self._screen = List(
                entry.label, "Enter to choose", lambda: choices, lambda value: self._token(entry, value), self._back
            )
        elif entry.candidates and entry.kind == "strings":
            self._screen = self._several(key)
        elif entry.candidates and entry.kind == "map":
            self._screen = self._map(key)
        else:
            self._screen = self._text(entry)

    def _text(self, entry: Entry) -> Text:
        return Text(entry.label, _about(entry), entry.text, lambda text: self._saved(entry.key, text), self._back)

    def _token(self, entry: Entry, choice: str) -> None:
        if choice == OWN:
            self._screen = self._text(entry)
            return
        token = self._random() if choice == RANDOM else ""
        if not self._saved(entry.key, token):
            self._back()
            if token:
                self.note = (f"The token is {token} (shown this once).", "")

    def _several(self, key: str) -> List:
        def choices() -> list[Choice]:
            entry = self._entry(key)
            known = {candidate.value for candidate in entry.candidates}
            gone = [Candidate(value, "not available") for value in entry.chosen if value not in known]
            return [
                Choice(
                    one.value,
                    "[x] " if one.value in entry.chosen else "[ ] ",
                    one.value,
                    search=f"{one.value} {one.hint}",
                    hint=one.hint,
                )
                for one in (*gone, *entry.candidates)
            ]

        def change(value: str) -> None:
            chosen = self._entry(key).chosen
            kept = tuple(one for one in chosen if one != value)
            self._saved(key, ",".join(kept if len(kept) < len(chosen) else (*chosen, value)))

        return List(self._entry(key).label, "Enter to change", choices, change, self._back)

    def _map(self, key: str) -> List:
        def pairs() -> dict[str, str]:
            found = (pair.partition("=") for pair in self._entry(key).text.split(",") if pair)
            return {name: value for name, _, value in found}

        def choices() -> list[Choice]:
            now = pairs()
            names = dict.fromkeys((*now, *(candidate.value for candidate in self._entry(key).candidates)))
            return [Choice(name, f"{name}  ", now.get(name, ""), "", name) for name in names]

        def change(name: str) -> None:
            def accept(text: str) -> str:
                new = {**pairs(), name: text}
                return self._saved(key, ",".join(f"{one}={value}" for one, value in new.items() if value))

            entry = self._entry(key)
            about = f"{entry.help} Empty: none."
            back = lambda: self._show(here)  # noqa: E731
            self._screen = Text(f"{entry.label}: {name}", about, pairs().get(name, ""), accept, back)

        here = List(self._entry(key).label, "Enter to change", choices, change, self._back)
        return here

    def _show(self, screen: Screen) -> None:
        self._screen = screen

    def _entry(self, key: str) -> Entry:
        return next(entry for entry in self.entries if entry.key == key)

    def _saved(self, key: str, text: str) -> str:
        """Save; gives the complaint, or nothing."""
        try:
            new = self._save(key, text)
        except ConfigError as error:
            self.note = (error.message, "bad")
            return error.message
        self.entries = [new if entry.key == key else entry for entry in self.entries]
        later = " It counts from the next start on." if new.restart else ""
        said = f"Saved, but {new.wins} is set and wins." if new.wins else f"Saved: {new.label} is {new.shown}.{later}"
        self.note = (said, "dim")
        return ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a list."""

    value: str
    left: str = ""
    right: str = ""
    about: str = ""
    """Shown below the list while the line is the selected one."""
    search: str = ""
    hint: str = ""


class List:
    """A list with a search."""

    def __init__(
        self,
        title: str,
        keys: str,
        choices: Callable[[], list[Choice]],
        pick: Callable[[str], None],
        close: Callable[[], None],
    ) -> None:
        self._title, self._keys = title, keys
        self._choices, self._pick, self._close = choices, pick, close
        self._search = Field()
        self._at = 0

    def key(self, name: str) -> None:
        found = self._found()
        match name:
            case "escape":
                self._close()
            case "up" | "down":
                self._at = (self._at + (1 if name == "down" else -1)) % max(len(found), 1)
            case "pageup" | "pagedown":
                self._at = min(max(self._at + (10 if name == "pagedown" else -10), 0), max(len(found) - 1, 0))
            case _ if (name == "enter" or (name == " " and not self._search.text)) and found:
                self._pick(found[self._at].value)
            case _ if name != "enter" and self._search.key(name):
                self._at = 0

    def lines(self, width: int, height: int) -> list[Line]:
        found = self._found()
        about = _wrapped(found[self._at].about, width - 2) if found else []
        rows = max(3, height - 7 - max(2, len(about)))
        first = max(0, min(self._at - rows // 2, len(found) - rows))
        shown = [_row(choice, first + at == self._at) for at, choice in enumerate(found[first : first + rows])]
        if len(found) > rows:
            shown.append(line(f"  ({self._at + 1}/{len(found)})", "dim"))
        return [
            line(f"  {self._title}", "title"),
            line(),
            self._search.line(width),
            line(),
            *(shown or [line("  Nothing fits.", "dim")]),
            line(),
            *(line(f"  {text}", "dim") for text in about),
            line(f"  Type to search · {self._keys} · Esc to go back", "dim"),
        ]

    def _found(self) -> list[Choice]:
        words = self._search.text.lower().split()
        return [one for one in self._choices() if all(word in (one.search or one.value).lower() for word in words)]


class Text:
    """A text field; it closes only when nobody complains."""

    def __init__(
        self, title: str, about: str, value: str, accept: Callable[[str], str], close: Callable[[], None]
    ) -> None:
        self._title, self._about = title, about
        self._accept, self._close = accept, close
        self._field = Field(value, len(value))

    def key(self, name: str) -> None:
        if name == "escape" or (name == "enter" and not self._accept(self._field.text.strip())):
            self._close()
        else:
            self._field.key(name)

    def lines(self, width: int, height: int) -> list[Line]:  # noqa: ARG002  (a screen's signature)
        return [
            line(f"  {self._title}", "title"),
            line(),
            self._field.line(width),
            line(),
            *(line(f"  {text}", "dim") for text in _wrapped(self._about, width - 2)),
            line(),
            line("  Enter to save · Esc to go back", "dim"),
        ]


def _row(choice: Choice, here: bool) -> Line:
    style: Style = "picked" if here else ""
    right: Style = "picked" if here else "dim"
    pieces: Line = (("→ " if here else "  ", "picked"), (choice.left, style), (choice.right, right))
    return (*pieces, (f"  {choice.hint}", "dim")) if choice.hint else pieces


def _about(entry: Entry) -> str:
    allowed = "" if entry.choices else f" Allowed: {entry.allowed}."
    forms = {"strings": " Separate by commas.", "map": " Write name=value.", "zed": " Write name=value, with commas."}
    form = "" if entry.candidates else forms.get(entry.kind, "")
    wins = f" {entry.wins} is set and wins over this." if entry.wins else ""
    return f"{entry.help}{allowed}{form}{wins}"


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width and lines[-1]:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines if text else []


def _shortened(lines: list[Line], height: int) -> list[Line]:
    """Not more lines than that: empty ones go first, then those at the end."""
    kept = list(lines)
    for at in reversed(range(len(kept))):
        if len(kept) > height and not any(text for text, _ in kept[at]):
            del kept[at]
    return kept[: max(height, 1)]


def fitted(pieces: Line, width: int) -> Line:
    """Not wider than the terminal."""
    kept: list[tuple[str, Style]] = []
    for text, style in pieces:
        text = "".join(c if c.isprintable() else " " for c in text)[:width]  # noqa: PLW2901
        width -= len(text)
        kept.append((text, style))
    return tuple(kept)
