"""Every value of a JSON text has its line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from piproxy.jsontext import Json
from piproxy.pi.locate import Lines

TEXT = """{
 "a": {
  "b": [1,
   {"c,}]": "x\\"y"},
   [[],
    {}, -1.5e3]],
  "d": null
 },

 "e": true, "a b": {"\\u0065": 0}
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 1),
        ("a", 2),
        ("a/b", 3),
        ("a/b/0", 3),
        ("a/b/1/c,}]", 4),
        ("a/b/2", 5),
        ("a/b/2/1", 6),
        ("a/b/2/2", 6),
        ("a/b/3", 3),
        ("a/d", 7),
        ("a/missing/deeper", 2),
        ("e", 10),
        ("a b/e", 10),
        ("nothing", 1),
    ],
)
def test_lines_of_a_text(path: str, line: int) -> None:
    """The line of the key, of the item in a list, or of the nearest value above."""
    assert Lines(TEXT).of(path.split("/") if path else []) == line


def test_last_of_equal_keys_counts() -> None:
    """As for the parser."""
    assert Lines('{"a": 1,\n"a": 2}').of(["a"]) == 2


def test_no_text_has_no_lines() -> None:
    """Then nothing is claimed."""
    assert Lines("").of(["a"]) is None


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def leaves(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, str(index)))


@settings(deadline=None)
@given(JSONS)
def test_every_path_is_found_in_order(value: Json) -> None:
    """In a text with one value per line, the lines of all paths rise."""
    text = json.dumps(value, indent=1)
    lines = Lines(text)
    found = [lines.of(path) or 0 for path in leaves(value)]
    assert found == sorted(found)
    assert found[0] == 1
    assert len(set(found)) == len(found)
