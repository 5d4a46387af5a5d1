"""SSE bytes, cut anywhere, give the same frames."""

from __future__ import annotations

import pytest

from piproxy.errors import UpstreamBroken
from piproxy.framing.sse import MAX_STRAYS, Frame, SSEReader

CASES = {
    "lf": (b"data: a\n\ndata: b\n\n", [Frame("a"), Frame("b")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Frame("a"), Frame("b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [Frame("a"), Frame("b")]),
    "mixed": (b"data: a\r\n\ndata: b\r\rdata: c\n\r\n", [Frame("a"), Frame("b"), Frame("c")]),
    "no space": (b"data:a\n\n", [Frame("a")]),
    "only one space goes": (b"data:  a \n\n", [Frame(" a ")]),
    "joined lines": (b"data: a\ndata: b\n\n", [Frame("a\nb")]),
    "named": (b"event: ping\ndata: {}\n\ndata: x\n\n", [Frame("{}", "ping"), Frame("x")]),
    "comments": (b": keep-alive\n\n: x\ndata: a\n\n", [Frame("a")]),
    "ids and retries": (b"id: 7\nretry: 10\ndata: a\n\n", [Frame("a")]),
    "empty data": (b"data:\n\ndata\n\n", [Frame(""), Frame("")]),
    "empty text": (b"data: \n\ndata: b\n\n", [Frame(""), Frame("b")]),
    "two blank lines": (b"data: a\n\n\ndata: b\n\n", [Frame("a"), Frame("b")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [Frame("a")]),
    "unicode line ends are text": ("data: a\u2028b\x85c\x0bd\x0ce\n\n".encode(), [Frame("a\u2028b\x85c\x0bd\x0ce")]),
    "split code points": ("data: \U0001f600é\n\n".encode(), [Frame("\U0001f600é")]),
    "unterminated": (b"data: a\n\ndata: b", [Frame("a"), Frame("b")]),
    "unterminated by one": (b"data: a\n", [Frame("a")]),
    "nothing": (b"", []),
    "event without data": (b"event: x\n\ndata: a\n\n", [Frame("a")]),
}


def read(pieces: list[bytes]) -> list[Frame]:
    reader = SSEReader()
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    return frames + reader.end()


@pytest.mark.parametrize("name", CASES)
def test_every_cut_gives_the_same_frames(name: str) -> None:
    """Whole, byte by byte, and cut in two at every place, the frames are the same."""
    data, frames = CASES[name]
    assert read([data]) == frames
    assert read([data[at : at + 1] for at in range(len(data))]) == frames
    for at in range(len(data)):
        assert read([data[:at], b"", data[at:]]) == frames


def test_a_frame_is_given_as_soon_as_its_blank_line_is_there() -> None:
    """Nothing waits for the next frame."""
    reader = SSEReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\ndata") == [Frame("a")]
    assert reader.feed(b": b\r\n\r") == [Frame("b")]
    assert reader.feed(b"\n") == []
    assert reader.end() == []


@pytest.mark.parametrize("data", [CASES[name][0] for name in CASES if name not in ("split code points", "nothing")])
def test_what_is_more_or_less_than_one_frame_is_not_taken_for_one(data: bytes) -> None:
    """Asking takes nothing: the frames are all there afterwards."""
    reader = SSEReader()
    assert reader.only(data) is None
    assert reader.feed(data) + reader.end() == read([data])


def test_one_whole_frame_is_known_between_frames_only() -> None:
    """Behind the first frame, not in the middle of one, nor behind a CR whose LF may come."""
    reader = SSEReader()
    reader.feed(b"data: a\n\n")
    assert reader.only(b"data: b \n\n") == "b "
    for begun in (b"data: c\n", b"event: e\n", b"dat"):
        reader.feed(begun)
        assert reader.only(b"data: b\n\n") is None
        reader.feed(b"\n\n")
    reader.feed(b"data: d\r\r")
    assert reader.only(b"data: b\n\n") is None


@pytest.mark.parametrize("piece", [b"x" * 7, b"data: x\n"])
def test_a_frame_that_never_ends_is_refused(piece: bytes) -> None:
    """Memory is bounded by the limit, for one endless line and for endless lines."""
    reader = SSEReader(max_frame=100)
    with pytest.raises(UpstreamBroken, match="more than 100 bytes"):
        for _ in range(100):
            reader.feed(piece)


def test_frames_within_the_limit_never_add_up() -> None:
    """The limit is per frame."""
    reader = SSEReader(max_frame=100)
    assert sum(len(reader.feed(b"data: " + b"x" * 80 + b"\n\n")) for _ in range(50)) == 50


def test_lines_that_are_no_field_are_kept_aside() -> None:
    """A document between two frames, as some providers send errors, is not lost; there is a limit to it."""
    reader = SSEReader()
    assert reader.feed(b'data: a\n\n{"error":\n  {"code": 1}}\nid: 7\nretry: 1\ndata: b\n\n') == [
        Frame("a"),
        Frame("b"),
    ]
    assert reader.strays == [b'{"error":', b'  {"code": 1}}']
    reader.feed(b"x" * MAX_STRAYS + b"\n")
    assert len(reader.strays) == 2
