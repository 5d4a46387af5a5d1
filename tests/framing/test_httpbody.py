"""HTTP/1.1 bodies, cut anywhere, give the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from piproxy.errors import UpstreamBroken
from piproxy.framing.httpbody import BodyReader, ChunkedReader, EndReader, LengthReader

CASES: dict[str, tuple[Callable[[], BodyReader], bytes, bytes]] = {
    "length": (lambda: LengthReader(5), b"hello", b"hello"),
    "no length": (lambda: LengthReader(0), b"", b""),
    "end": (EndReader, b"hello", b"hello"),
    "chunked": (ChunkedReader, b"5\r\nhello\r\n3\r\n, w\r\n0\r\n\r\n", b"hello, w"),
    "one byte a chunk": (ChunkedReader, b"".join(b"1\r\n%c\r\n" % c for c in b"hello") + b"0\r\n\r\n", b"hello"),
    "extensions": (ChunkedReader, b"5;a=b;c\r\nhello\r\n0;x\r\n\r\n", b"hello"),
    "trailers": (ChunkedReader, b"5\r\nhello\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n", b"hello"),
    "bare line feeds": (ChunkedReader, b"5\nhello\n0\n\n", b"hello"),
    "capital digits": (ChunkedReader, b"00A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "line ends as data": (ChunkedReader, b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "empty": (ChunkedReader, b"0\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", CASES)
def test_every_cut_gives_the_same_body(name: str) -> None:
    """Whole, byte by byte, cut in two at every place, and with a tail that stays in ``rest``."""
    make, wire, body = CASES[name]
    cuts = [[wire], [wire[at : at + 1] for at in range(len(wire))]]
    cuts += [[wire[:at], wire[at:]] for at in range(1, len(wire))]
    for pieces in cuts:
        reader = make()
        assert b"".join(reader.feed(piece) for piece in pieces if piece) == body
        reader.eof()
        assert reader.done
        assert reader.rest == b""
    if make is not EndReader and wire:
        reader = make()
        assert reader.feed(wire + b"HTTP/1.1 200") == body
        assert (reader.done, reader.rest) == (True, b"HTTP/1.1 200")


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("end", "no length")])
def test_a_body_that_stops_short_is_broken(name: str) -> None:
    """A connection that ends before the framing does is an error at every place."""
    make, wire, _ = CASES[name]
    for at in range(len(wire)):
        reader = make()
        reader.feed(wire[:at])
        if not reader.done:
            with pytest.raises(UpstreamBroken, match="broke off"):
                reader.eof()


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\nhello",
        b"\r\nhello",
        b"-5\r\nhello",
        b"0x5\r\nhello",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b" 5_0\r\n" + b"x" * 50 + b"\r\n",
        b"f" * 17 + b"\r\n",
        b"5" * 20000,
        b"5 5\r\n",
    ],
)
def test_nonsense_is_broken(wire: bytes) -> None:
    """A lying or missing size is never taken for a body."""
    with pytest.raises(UpstreamBroken):
        ChunkedReader().feed(wire)
    reader = ChunkedReader()
    with pytest.raises(UpstreamBroken):
        for at in range(len(wire)):
            reader.feed(wire[at : at + 1])


@pytest.mark.parametrize("wire", [b"3\r\nabcX\r\n", b"3\r\nabc\r\nx\r\n", b"3\r\nabc\r\n" + b"5" * 20000])
def test_what_came_before_broken_framing_is_given(wire: bytes) -> None:
    """However the bytes are cut, the body up to the fault comes first and the error after it."""
    reader = ChunkedReader()
    assert reader.feed(wire) == b"abc"
    assert reader.broken is not None
    reader = ChunkedReader()
    body = b""
    with pytest.raises(UpstreamBroken):
        for at in range(len(wire)):
            body += reader.feed(wire[at : at + 1])
    assert body == b"abc"


def test_many_chunks_in_one_read_come_as_one_piece() -> None:
    """What arrived together leaves together."""
    wire = b"".join(b"1\r\n%c\r\n" % c for c in b"x" * 1000)
    assert ChunkedReader().feed(wire) == b"x" * 1000
