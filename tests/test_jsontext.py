"""JSON goes in and out without a loss."""

from __future__ import annotations

import tracemalloc

import pytest

from piproxy import jsontext
from piproxy.jsontext import Verbatim


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
    assert jsontext.dump("\ud83d") == b'"\\ud83d"'
    assert jsontext.without_surrogates({"\ud83da": ["b\ude00", 1]}) == {"a": ["b", 1]}


@pytest.mark.parametrize("text", ["{", '{"a":1} x', "", "{'a':1}"])
def test_what_is_no_json(text: str) -> None:
    """``ValueError``, with the place."""
    with pytest.raises(ValueError, match="char"):
        jsontext.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Verbatim("QQ=="), '"QQ=="'),
        ([Verbatim("data:,QQ==", 6)], '["QQ=="]'),
        (["\ud83d", Verbatim("data:,QQ==", 6)], '["\\ud83d","QQ=="]'),
        (
            {"a": ["\u00e9\n", Verbatim("QQ=="), {"b": Verbatim("")}], "c": 1},
            '{"a":["\u00e9\\n","QQ==",{"b":""}],"c":1}',
        ),
        ([Verbatim("QQ=="), "\0verbatim\0"], '["QQ==","\\u0000verbatim\\u0000"]'),
        ([Verbatim("QQ=="), "\ud83d"], '["QQ==","\\ud83d"]'),
        (["\ud83d", Verbatim("QQ==")], '["\\ud83d","QQ=="]'),
    ],
)
def test_a_verbatim_text_is_written_as_it_is(value: jsontext.Json, text: str) -> None:
    """Wherever it stands, whatever else is said."""
    assert jsontext.dump(value) == text.encode()
    assert jsontext.dump(jsontext.without_surrogates({"x": Verbatim("QQ==")})) == b'{"x":"QQ=="}'


def test_a_large_verbatim_text_is_copied_once() -> None:
    """Four copies of an image would be most of what a proxy needs for it."""
    large = Verbatim("A" * 8_000_000)
    tracemalloc.start()
    try:
        written = jsontext.dump({"image": large})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written == b'{"image":"' + large.text.encode() + b'"}'
    assert most < 1.3 * len(large.text)


def test_what_is_no_json_cannot_be_written() -> None:
    """A set is a mistake of ours, with or without a verbatim text beside it."""
    for value in ({"a": {1}}, [Verbatim("QQ=="), {1}]):
        with pytest.raises(TypeError, match="set"):
            jsontext.dump(value)


@pytest.mark.parametrize(
    ("value", "text", "count"),
    [
        ("a", "a", 0),
        ("12", "12", 0),
        (None, "", 0),
        (12, "", 12),
        (12.0, "", 12),
        (-3, "", 0),
        (-0.5, "", 0),
        (True, "", 0),
        (float("inf"), "", 0),
        (float("nan"), "", 0),
        ([1], "", 0),
    ],
)
def test_foreign_values_are_what_they_should_be_or_nothing(value: jsontext.Json, text: str, count: int) -> None:
    """A text, a number of tokens, an object: what a provider sent in their place counts for nothing."""
    assert (jsontext.as_text(value), jsontext.as_count(value)) == (text, count)
    assert jsontext.as_object(value) == {}
    assert jsontext.as_object({"a": value}) == {"a": value}
