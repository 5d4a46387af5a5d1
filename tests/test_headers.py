"""Header layers: later wins, whatever the case."""

from __future__ import annotations

from piproxy.headers import get, layered, merge


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
