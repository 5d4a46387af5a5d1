from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.wire.openai_responses.stops import StopCutter


def cut(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, bool]:
    cutter = StopCutter(stops)
    text = "".join(cutter.push(piece) for piece in pieces)
    return text + cutter.flush(), cutter.hit


@pytest.mark.parametrize(
    ("stops", "text", "want"),
    [
        ((), "all of it", ("all of it", False)),
        (("",), "all of it", ("all of it", False)),
        (("END",), "one END two END", ("one ", True)),
        (("END",), "the end", ("the end", False)),
        (("END",), "one EN", ("one EN", False)),
        (("\n\n",), "a\nb\n\nc", ("a\nb", True)),
        (("aab",), "aaab", ("a", True)),
        (("bXYc", "XY"), "abXYcd", ("ab", True)),
        (("abc", "bc"), "abc", ("", True)),
        (("END",), "END", ("", True)),
        (("☔",), "rain ☔ rain", ("rain ", True)),
    ],
)
def test_text_ends_before_the_stop_however_it_is_split(
    stops: tuple[str, ...], text: str, want: tuple[str, bool]
) -> None:
    """The stop sequence that is complete first ends the text, and is not part of it."""
    assert cut(stops, [text]) == want
    assert cut(stops, list(text)) == want


def test_only_a_possible_beginning_is_held_back() -> None:
    """Text that cannot become a stop sequence any more goes out at once."""
    cutter = StopCutter(("STOP",))
    assert [cutter.push(piece) for piece in ("abcS", "T", "xS", "TO")] == ["abc", "", "STx", ""]
    assert cutter.flush() == "STO"
    assert not cutter.hit


def test_nothing_follows_a_hit() -> None:
    """After the stop sequence every further text is silent."""
    cutter = StopCutter(("!",))
    assert cutter.push("yes!no") == "yes"
    assert cutter.push("more") == ""
    assert cutter.flush() == ""


@given(
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.text("abc", max_size=5), max_size=8),
)
def test_cuts_do_not_matter(stops: list[str], pieces: list[str]) -> None:
    """Any split of the text gives the same end."""
    text = "".join(pieces)
    assert cut(tuple(stops), pieces) == cut(tuple(stops), list(text)) == cut(tuple(stops), [text])
