from __future__ import annotations

import json
import math
import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.pi import jsonfile
from piproxy.pi.jsonfile import UnreadableFile, dump, fingerprint, parse, read

FILE = Path("models.json")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, // one\n "b": [1, 2,],\n}', {"a": 1, "b": [1, 2]}),
        ('{"u": "http://x/,}" }', {"u": "http://x/,}"}),
        ('{"q": "a\\"//b", "c": 1,\n// end\n}', {"q": 'a"//b', "c": 1}),
        ("\ufeff// head\n[]", []),
    ],
)
def test_models_json_may_hold_comments_and_trailing_commas(text: str, value: object) -> None:
    """Comments and commas inside strings are text."""
    assert parse(text.encode(), FILE, relaxed=True) == value


@pytest.mark.parametrize("text", ["/* x */ {}", "{,}x", '{"a": 1,, }', "{'a': 1}"])
def test_what_pi_refuses_in_models_json_is_refused(text: str) -> None:
    """Block comments, doubled commas and single quotes are errors in pi too."""
    with pytest.raises(UnreadableFile):
        parse(text.encode(), FILE, relaxed=True)


@pytest.mark.parametrize("text", ['{"a": 1,}', "// c\n{}", '{"a": NaN}', '{"a": Infinity}', '{"a": "\n"}', "{"])
def test_strict_json_is_javascripts(text: str) -> None:
    """auth.json takes no comments, no trailing commas, no NaN, no raw newline in a string."""
    with pytest.raises(UnreadableFile):
        parse(text.encode(), FILE)


def test_an_error_names_file_line_and_reason() -> None:
    """The line counts in the original text, comments included."""
    with pytest.raises(UnreadableFile) as caught:
        parse(b'// one\n{\n  "a": 1\n  "b": 2\n}', FILE, relaxed=True)
    assert (caught.value.path, caught.value.line) == (FILE, 4)
    assert str(caught.value).startswith("models.json:4: Expecting ',' delimiter")


def test_bytes_that_are_not_utf8_spoil_only_a_rewrite() -> None:
    """For pi, too, they are but odd signs; a rewrite of auth.json must not lose what it could not read."""
    assert parse(b'{"a": "\xff"}', FILE) == {"a": "\ufffd"}
    with pytest.raises(UnreadableFile, match="not UTF-8") as caught:
        parse(b'{\n"a": "\xff"}', FILE, exact=True)
    assert caught.value.line == 2


def test_a_nest_without_end_is_an_error() -> None:
    """Deeply nested text does not end the process."""
    with pytest.raises(UnreadableFile):
        parse(b"[" * 200_000, FILE)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    """As pi 0.87 and later do."""
    path = tmp_path / "auth.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read(path, missing=None).value == {}


def test_a_half_written_file_is_read_again(tmp_path: Path) -> None:
    """pi truncates and then writes: the reader waits a moment and gets the whole."""
    path = tmp_path / "auth.json"
    path.write_text("")
    steps = iter(['{"a"', '{"a": {"b"', '{"a": {"b": 1}}'])
    document = read(path, missing=None, sleep=lambda _: (path.write_text(next(steps)), None)[1])
    assert document.value == {"a": {"b": 1}}
    assert document.fingerprint == fingerprint(path)


def test_a_file_that_stays_broken_is_reported_after_five_more_looks(tmp_path: Path) -> None:
    """Six looks, five pauses, a quarter of a second."""
    path = tmp_path / "auth.json"
    path.write_text('{"a"')
    pauses: list[float] = []
    with pytest.raises(UnreadableFile):
        read(path, missing=None, sleep=pauses.append)
    assert pauses == [0.05] * 5


def test_no_file_and_an_empty_file_are_the_default(tmp_path: Path) -> None:
    """Nothing stored is no error."""
    path = tmp_path / "auth.json"
    assert read(path, missing={}) == jsonfile.Document({}, None)
    path.write_text(" \n")
    assert read(path, missing={}, sleep=lambda _: None).value == {}


def test_a_directory_in_the_place_of_a_file_is_reported(tmp_path: Path) -> None:
    """The operating system's reason is given."""
    with pytest.raises(UnreadableFile, match="directory"):
        read(tmp_path, missing={})


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever opens one waits for its writer, which may never come."""
    path = tmp_path / "auth.json"
    os.mkfifo(path)
    with pytest.raises(UnreadableFile, match="a pipe, not a file"):
        read(path, missing={})


def test_a_file_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a device nor a file of many gigabytes may fill the memory."""
    path = tmp_path / "auth.json"
    path.symlink_to("/dev/zero")
    with pytest.raises(UnreadableFile, match="larger than 64 MiB"):
        read(path, missing={})
    monkeypatch.setattr(jsonfile, "LARGEST", 4)
    path.unlink()
    path.write_text('"ab"')
    assert read(path, missing={}).value == "ab"
    path.write_text('"abc"')
    with pytest.raises(UnreadableFile, match="larger"):
        read(path, missing={})


def test_a_fingerprint_changes_with_what_only_the_system_sees(tmp_path: Path) -> None:
    """Other rights, and other content under the old size and time."""
    path = tmp_path / "auth.json"
    path.write_text("{} ")
    old = path.stat()

    def write() -> None:
        path.write_text(" {}")
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))

    for change in (partial(path.chmod, 0o640), write):
        before, at = fingerprint(path), path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == at:  # the system's clock goes in ticks of some milliseconds
            change()
        assert fingerprint(path) != before


def test_a_fingerprint_changes_with_every_way_of_writing(tmp_path: Path) -> None:
    """In place and by renaming."""
    path = tmp_path / "auth.json"
    assert fingerprint(path) is None
    path.write_text("{}")
    first = fingerprint(path)
    assert fingerprint(path) == first
    path.write_text("[1]")
    second = fingerprint(path)
    (tmp_path / "new").write_text("[2]")
    (tmp_path / "new").replace(path)
    assert len({first, second, fingerprint(path)}) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        ({"a": [], "b": {}}, '{\n  "a": [],\n  "b": {}\n}'),
        ({"b": 1, "10": 2, "9": 3, "01": 4}, '{\n  "9": 3,\n  "10": 2,\n  "b": 1,\n  "01": 4\n}'),
        ("é\u2028\x7f\x01", '"é\u2028\x7f\\u0001"'),
        ("\ud83d", '"\\ud83d"'),
        ([1.0, -0.0, 1e21, 1e-5, 1e-6, 1.5e-7, 123456789012345680000.0], None),
        (1796200000000, "1796200000000"),
        (9007199254740993, "9007199254740993"),
        ([True, None], "[\n  true,\n  null\n]"),
        ([math.inf, -math.inf, math.nan], "[\n  null,\n  null,\n  null\n]"),
    ],
)
def test_text_is_written_as_javascript_writes_it(value: object, text: str | None) -> None:
    """Compared with JSON.stringify(value, null, 2) of Node 20; integers keep digits that JavaScript would round."""
    if text is None:
        text = "[\n  1,\n  0,\n  1e+21,\n  0.00001,\n  0.000001,\n  1.5e-7,\n  123456789012345680000\n]"
    assert dump(value) == text.encode()


def test_numbers_beyond_javascript_s_are_infinite() -> None:
    """However they are written; what is written back is what pi would write."""
    value = parse(b'{"a": 1e999, "b": -1%s, "c": 1%s}' % (b"0" * 400, b"0" * 5000), FILE)
    assert value == {"a": math.inf, "b": -math.inf, "c": math.inf}
    assert parse(dump(value), FILE) == {"a": None, "b": None, "c": None}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-(2.0**53), 2.0**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_is_written_reads_back_equal(value: object) -> None:
    """Nothing is lost on the way, whatever an entry holds."""
    assert json.loads(dump(value)) == value
