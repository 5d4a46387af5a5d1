"""Header layers: later wins, whatever the case."""

from __future__ import annotations

import pytest

from piproxy.headers import flaw, get, layered, merge, trimmed


def test_later_layers_win() -> None:
    """The spelling of the last one is kept, and ``None`` removes."""
    assert merge({"Accept": "a", "x": "1"}, {"accept": "b"}, {"X": None}) == {"accept": "b"}
    assert merge({"x": None}, {"X": "2"}) == {"X": "2"}


def test_removals_may_be_kept() -> None:
    """For a result that becomes a layer itself."""
    assert layered({"a": "1"}, {"A": None}) == {"A": None}
    assert merge({"a": "0"}, layered({"a": "1"}, {"A": None})) == {}


def test_names_have_no_case() -> None:
    """A header is found however it is spelled."""
    assert get({"X-Key": "v"}, "x-key") == "v"
    assert get({}, "x-key") is None


@pytest.mark.parametrize("text", ["k", " k ", "k\n", "\tk\r\n"])
def test_white_space_around_a_value_is_not_sent(text: str) -> None:
    """As ``fetch`` does, and so pi: a key from a file with line ends is a good key."""
    assert trimmed(text) == "k"
    assert flaw(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", None),
        ("a\tb c", None),
        ("a\nb", "it has several lines"),
        ("a\rb", "it has several lines"),
        ("a\x00b", "it has a control character"),
        ("a\x7fb", "it has a control character"),
        ("a\x0b", "it has a control character"),
        ("schlüssel", "it has a character that is not ASCII"),
    ],
)
def test_what_no_header_can_hold(text: str, why: str | None) -> None:
    """It is told without the text, which may be a secret."""
    assert flaw(text) == why


@pytest.mark.parametrize("name", ["", "X A", "X:", "X\n", "Ü"])
def test_what_no_header_can_be_called(name: str) -> None:
    """A name of models.json may be anything."""
    assert flaw("v", name) == "no header can have that name"
