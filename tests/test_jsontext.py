"""JSON goes in and out without a loss."""

from __future__ import annotations

import pytest

from piproxy import jsontext


@pytest.mark.parametrize(
    "text",
    ['{"a":90071992547409931234567,"b":1.0,"c":"\u00e9\u2028"}', "[1,-0.0,1e+20]", '"x"', "null", '{"b":1,"a":2}'],
)
def test_what_is_read_is_written_again(text: str) -> None:
    """Big integers, floats, order and characters outside ASCII."""
    assert jsontext.dump(jsontext.parse(text)).decode() == text
    assert jsontext.parse(text.encode()) == jsontext.parse(text)


def test_half_a_pair_is_escaped() -> None:
    """A client can join it with the other half, which the next delta brings."""
    assert jsontext.dump({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'
    assert jsontext.without_surrogates({"\ud83da": ["b\ude00", 1]}) == {"a": ["b", 1]}


@pytest.mark.parametrize("text", ["{", '{"a":1} x', "", "{'a':1}"])
def test_what_is_no_json(text: str) -> None:
    """``ValueError``, with the place."""
    with pytest.raises(ValueError, match="char"):
        jsontext.parse(text)
