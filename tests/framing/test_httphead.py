"""Heads of HTTP/1.1: cut anywhere they say the same, and they are as strict as h11's."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.framing.httphead import BadHead, Head, HeadReader, request_head

LIMIT = 4096
OK = b"HTTP/1.1 200 OK\r\n"

ANSWERS: dict[str, tuple[bytes, Head]] = {
    "length": (OK + b"Content-Length: 5\r\n\r\n", Head(200, {"content-length": "5"}, True)),
    "no headers": (b"HTTP/1.1 204 No Content\r\n\r\n", Head(204, {}, True)),
    "no reason": (b"HTTP/1.1 200\r\n\r\n", Head(200, {}, True)),
    "odd reason": (b"HTTP/1.1 500 Ups \xfc\tx\r\n\r\n", Head(500, {}, True)),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n", Head(200, {}, False)),
    "bare line feeds": (b"HTTP/1.1 200 OK\nx-a: b\n\n", Head(200, {"x-a": "b"}, True)),
    "white space": (OK + b"x-a: \t b c \t\r\nx-e:\r\n\r\n", Head(200, {"x-a": "b c", "x-e": ""}, True)),
    "repeated": (OK + b"X-A: b\r\nx-c: d\r\nx-a: e\r\n\r\n", Head(200, {"x-a": "b, e", "x-c": "d"}, True)),
    "folded": (OK + b"x-a: b\r\n \t c\r\nx-d: e\r\n\r\n", Head(200, {"x-a": "b c", "x-d": "e"}, True)),
    "utf-8": (OK + "x-a: ü\r\n\r\n".encode(), Head(200, {"x-a": "ü"}, True)),
    "latin-1": (OK + b"x-a: \xfc\r\n\r\n", Head(200, {"x-a": "ü"}, True)),
    "chunked": (OK + b"Transfer-Encoding: Chunked\r\n\r\n", Head(200, {"transfer-encoding": "Chunked"}, True)),
    "the same length twice": (
        OK + b"content-length: 5\r\ncontent-length: 5, 5\r\n\r\n",
        Head(200, {"content-length": "5"}, True),
    ),
    "promises": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK + b"\r\n",
        Head(200, {}, True),
    ),
}

BAD = {
    "a word": b"hello\r\n\r\n",
    "nothing but an end": b"\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "no minor version": b"HTTP/1 200 OK\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "no colon": OK + b"nonsense\r\n\r\n",
    "a space before the colon": OK + b"x-a : b\r\n\r\n",
    "no name": OK + b": b\r\n\r\n",
    "a null": OK + b"x-a: b\0c\r\n\r\n",
    "a lonely return": OK + b"x-a: b\rc\r\n\r\n",
    "folded at the start": OK + b" x-a: b\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
    "a signed length": OK + b"content-length: +5\r\n\r\n",
    "an endless length": OK + b"content-length: " + b"1" * 21 + b"\r\n\r\n",
    "chunked twice": OK + b"transfer-encoding: chunked, chunked\r\n\r\n",
    "another coding": OK + b"transfer-encoding: gzip\r\n\r\n",
    "too long": OK + b"x-a: " + b"b" * LIMIT + b"\r\n\r\n",
    "too long without an end": OK + b"x-a: " + b"b" * LIMIT,
}


def read(*pieces: bytes) -> tuple[Head | None, bytes]:
    """The head, and what is left behind it."""
    reader = HeadReader(LIMIT)
    for at, piece in enumerate(pieces):
        if (head := reader.feed(piece)) is not None:
            return head, reader.rest + b"".join(pieces[at + 1 :])
    return None, b""


@pytest.mark.parametrize("name", ANSWERS)
def test_every_cut_gives_the_same_head(name: str) -> None:
    """Whole, byte by byte, cut in two at every place, and with a tail that is given back."""
    wire, head = ANSWERS[name]
    assert read(wire) == (head, b"")
    assert read(*(wire[at : at + 1] for at in range(len(wire)))) == (head, b"")
    for at in range(1, len(wire)):
        assert read(wire[:at], wire[at:] + b"HTTP/1.1 tail\r\n\r\n") == (head, b"HTTP/1.1 tail\r\n\r\n")
        assert read(wire[:at]) == (None, b"")


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_head_is_refused_without_its_words(name: str) -> None:
    """However it is cut, with a short sentence of ours."""
    for pieces in ([BAD[name]], [BAD[name][at : at + 1] for at in range(len(BAD[name]))]):
        with pytest.raises(BadHead) as caught:
            read(*pieces)
        assert len(str(caught.value)) < 60
        assert "nonsense" not in str(caught.value)


def test_what_is_not_http_is_refused_at_once() -> None:
    """Another protocol's greeting is not waited out."""
    with pytest.raises(BadHead):
        HeadReader(LIMIT).feed(b"SSH-2.0")
    assert HeadReader(LIMIT).feed(b"HTT") is None


PIECES = st.sampled_from(
    [
        *(
            b"HTTP/1.1 ",
            b"HTTP/1.0 ",
            b"HTTP/2.0 ",
            b"200",
            b"20",
            b"599 x",
            b"100",
            b" OK",
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
        ),
        *(b"a", b"x-a", b":", b": ", b" ", b"\t", b"\0", b"\x0b", b"\x7f", b"\xff", b"(", b",", b"5", b"chunked"),
        *(b"content-length: 5\r\n", b"Content-Length: 5, 5\r\n", b"transfer-encoding: chunked\r\n", b"x: y\r\n"),
    ]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.booleans())
def test_answers_are_judged_as_h11_does(tail: bytes, begins: bool) -> None:
    """The same heads accepted, with the same status, headers and rest, and the same refused."""
    wire = (OK if begins else b"") + tail
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    http.send(h11.Request(method="POST", target="/", headers=[("host", "h"), ("content-length", "0")]))
    http.send(h11.EndOfMessage())
    if wire:
        http.receive_data(wire)
    try:
        event = http.next_event()
        while isinstance(event, h11.InformationalResponse):
            event = http.next_event()
    except h11.RemoteProtocolError:
        with pytest.raises(BadHead):
            read(wire)
        return
    if not isinstance(event, h11.Response):  # h11 waits for the end of a line that is not HTTP, too
        if b"HTTP/".startswith(wire[:5]):
            assert read(wire) == (None, b"")
        return
    head, rest = read(wire)
    assert head is not None
    assert head.status == event.status_code
    names = [name.decode() for name, _ in event.headers]
    assert list(head.headers) == list(dict.fromkeys(names))
    assert head.modern == (event.http_version == b"1.1")
    assert rest == http.trailing_data[0]


REQUEST_PIECES = st.sampled_from(
    [b"a", b"B-c", b"1", b" ", b"\t", b"\r", b"\n", b"\0", b":", b"\xff", b"\x7f", b"(", b"/"]
)


@given(*[st.lists(REQUEST_PIECES, max_size=4).map(b"".join)] * 4)
def test_requests_are_written_as_h11_writes_them(method: bytes, target: bytes, name: bytes, value: bytes) -> None:
    """The same bytes, and the same refusals."""
    headers = [(b"Host", b"h"), (name, value)]
    try:
        expected = h11.Connection(h11.CLIENT).send(h11.Request(method=method, target=target, headers=headers))
    except h11.LocalProtocolError:
        with pytest.raises(BadHead):
            request_head(method, target, headers)
    else:
        assert request_head(method, target, headers) == expected
