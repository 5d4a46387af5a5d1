"""JSON with comments: one place changes, every other byte stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.cli.connect.jsonc import NotJsonc, loads, set_path

ZED = """\
// Zed settings
{
  "theme": "One", // mine
  /* models */
  "language_models": {
    "openai_compatible": {
      "Other": {"api_url": "https://x/v1"}, // keep "this"
    },
  },
  "font": 14, // big
}
"""


def test_a_member_is_added_among_comments() -> None:
    """Comments, trailing commas, order and indentation are as they were."""
    new = set_path(ZED, ("language_models", "openai_compatible", "Pi Proxy"), {"api_url": "u", "n": []})
    added = '      "Pi Proxy": {\n        "api_url": "u",\n        "n": []\n      },\n'
    assert new == ZED.replace('// keep "this"\n', f'// keep "this"\n{added}')
    assert loads(new)["language_models"]["openai_compatible"]["Pi Proxy"] == {"api_url": "u", "n": []}


def test_a_value_is_replaced_in_its_place() -> None:
    """Writing again changes the value alone; writing the same changes nothing."""
    path = ("language_models", "openai_compatible", "Other")
    new = set_path(ZED, path, {"api_url": "y"})
    assert new == ZED.replace('{"api_url": "https://x/v1"}', '{\n        "api_url": "y"\n      }')
    assert set_path(new, path, {"api_url": "y"}) == new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ("{}", '{\n  "a": {\n    "b": 1\n  }\n}'),
        ('{\n\t"x": 1\n}\n', '{\n\t"x": 1,\n\t"a": {\n\t\t"b": 1\n\t}\n}\n'),
        ('{"x": 1}', '{"x": 1,\n  "a": {\n    "b": 1\n  }\n}'),
        ("{\n  // only words\n}\n", '{\n  // only words\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{\n  "x": 1 // one\n}\n', '{\n  "x": 1, // one\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{\n  "a": null\n}\n', '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{"a": {"b": 2}}', '{"a": {"b": 1}}'),
        ('{"a": 0, "a": {"b": 2}}', '{"a": 0, "a": {"b": 1}}'),
        ('{"x": "// \\" no /* comment */"}', '{"x": "// \\" no /* comment */",\n  "a": {\n    "b": 1\n  }\n}'),
    ],
)
def test_places(before: str, after: str) -> None:
    """Where a member goes, whatever the file looks like."""
    assert set_path(before, ("a", "b"), 1) == after


@pytest.mark.parametrize("text", ["{", "[1", '{"a" 1}', '{"a": }', "{} x", "[]", '{"a": 1 "b": 2}', "{'a': 1}", "1"])
def test_what_is_broken_is_refused(text: str) -> None:
    """A file that makes no sense is not written over."""
    with pytest.raises(NotJsonc):
        set_path(text, ("a",), 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.lists(st.text(), min_size=1, max_size=3), JSON, st.booleans())
def test_any_object_takes_any_value(document: dict[str, Any], path: list[str], value: Any, wide: bool) -> None:
    """Only what is at the path differs afterwards."""
    expected = json.loads(json.dumps(document))
    place = expected
    for key in path[:-1]:
        place[key] = place[key] if isinstance(place.get(key), dict) else {}
        place = place[key]
    place[path[-1]] = value
    assert loads(set_path(json.dumps(document, indent=2 if wide else None), path, value)) == expected
