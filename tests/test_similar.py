"""What looks like a mistyped name."""

from __future__ import annotations

from itertools import product

import pytest

from piproxy.similar import similar

MANY = [f"{vendor}/{family}-{number}" for vendor, family, number in product("abcdefgh", ("opus", "haiku"), range(40))]


@pytest.mark.parametrize(
    ("word", "found"),
    [("prot", ["port"]), ("PORT", ["port"]), ("hots", ["Hosts", "host"]), ("x", []), ("", [])],
)
def test_few_names(word: str, found: list[str]) -> None:
    """The most similar first, whatever the case of the letters."""
    assert similar(word, ["host", "Hosts", "port"]) == found


@pytest.mark.parametrize("word", ["c/opsu-17", "C/OPUS17", "c/opus_17", "c-opus-17"])
def test_the_right_one_of_many(word: str) -> None:
    """Of 640 names nearly all of which look alike, the one that is meant comes first."""
    assert similar(word, MANY)[0] == "c/opus-17"


def test_there_is_a_most() -> None:
    """As many as are wanted, and three unless somebody says so."""
    assert len(similar("a/opus", MANY)) == 3
    assert len(similar("a/opus", MANY, 5)) == 5
