"""The AWS event stream reader, checked against botocore's."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from fakes.eventstream import header
from fakes.eventstream import raw as message
from hypothesis import given, settings
from hypothesis import strategies as st

from piproxy.errors import UpstreamBroken
from piproxy.framing.eventstream import EventStreamReader, Message

STRING = b"\x07" + struct.pack(">H", 5) + b"event"
EVERY_TYPE = {
    "true": (b"\x00", True),
    "false": (b"\x01", False),
    "byte": (b"\x02\xfe", -2),
    "short": (b"\x03\x80\x00", -32768),
    "int": (b"\x04" + struct.pack(">i", -70_000), -70_000),
    "long": (b"\x05" + struct.pack(">q", 2**40), 2**40),
    "bytes": (b"\x06" + struct.pack(">H", 3) + b"\x00\xff\n", b"\x00\xff\n"),
    "string": (b"\x07" + struct.pack(">H", 6) + "né€".encode(), "né€"),
    "time": (b"\x08" + struct.pack(">q", 1_700_000_000_123), 1_700_000_000_123),
    "uuid": (b"\x09" + bytes(range(16)), bytes(range(16))),
}


def resealed(raw: bytes) -> bytes:
    return raw[:-4] + struct.pack(">I", crc32(raw[:-4]))


def read(raw: bytes, size: int) -> list[Message]:
    reader = EventStreamReader()
    messages = []
    for at in range(0, len(raw), size):
        messages += reader.feed(raw[at : at + size])
    reader.end()
    return messages


STREAM = (
    message(b'{"a":1}', header(":event-type", STRING))
    + message(b"", b"")
    + message(b"\x00" * 300, b"".join(header(name, value) for name, (value, _) in EVERY_TYPE.items()))
)


def test_every_header_type_is_read() -> None:
    """All ten header types of the format give their value."""
    (got,) = read(message(b"x", b"".join(header(name, value) for name, (value, _) in EVERY_TYPE.items())), 10_000)
    assert got.headers == {name: value for name, (_, value) in EVERY_TYPE.items()}
    assert got.payload == b"x"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 12, 13, 64, 10_000])
def test_any_cut_gives_the_same_messages(size: int) -> None:
    """The pieces in which bytes arrive do not matter."""
    assert read(STREAM, size) == read(STREAM, len(STREAM))


def test_botocore_reads_the_same() -> None:
    """botocore's own reader sees the same headers and payloads."""
    buffer = EventStreamBuffer()
    buffer.add_data(STREAM)
    theirs = [(event.headers, event.payload) for event in buffer]
    assert [(dict(got.headers), got.payload) for got in read(STREAM, 5)] == theirs


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(1, 40))
def test_payloads_survive_any_bytes_and_any_cut(payloads: list[bytes], size: int) -> None:
    """Payload bytes come out as they went in."""
    raw = b"".join(message(payload, header("n", STRING)) for payload in payloads)
    assert [got.payload for got in read(raw, size)] == payloads


def test_text_is_empty_for_a_missing_header_and_for_a_number() -> None:
    """A header that is no text counts as absent where text is wanted."""
    got = Message({":event-type": "metadata", "n": 3}, b"")
    assert (got.text(":event-type"), got.text("n"), got.text("none")) == ("metadata", "", "")


@pytest.mark.parametrize("at", [0, 5, 9, 20, 30])
def test_one_flipped_bit_is_noticed(at: int) -> None:
    """Both checksums are checked: no single damaged byte passes."""
    raw = bytearray(message(b'{"a":1}', header(":event-type", STRING)))
    raw[at] ^= 4
    with pytest.raises(UpstreamBroken, match="checksum"):
        read(bytes(raw), 1)


def test_a_damaged_length_is_noticed_at_once() -> None:
    """The prelude's checksum is checked before anybody waits for the length it names."""
    raw = bytearray(message(b"abc"))
    raw[1] = 0x7F
    with pytest.raises(UpstreamBroken, match="prelude"):
        EventStreamReader().feed(bytes(raw[:12]))


def test_a_message_beyond_the_limit_is_refused_from_its_prelude() -> None:
    """Size is bounded before the bytes are collected."""
    with pytest.raises(UpstreamBroken, match="more than 100 bytes"):
        EventStreamReader(100).feed(message(b"x" * 200)[:12])


@pytest.mark.parametrize(("total", "headers"), [(15, 0), (20, 5), (0, 0), (1_000_000, 200_000)])
def test_impossible_lengths_are_refused(total: int, headers: int) -> None:
    """A prelude whose lengths cannot both be true ends the stream, right checksum or not."""
    start = struct.pack(">II", total, headers)
    with pytest.raises(UpstreamBroken, match="impossible"):
        EventStreamReader().feed(start + struct.pack(">I", crc32(start)))


@pytest.mark.parametrize(
    "headers",
    [
        b"\x03ab",
        header("n", b""),
        header("n", b"\x04\x00"),
        header("n", b"\x07\x00"),
        header("n", b"\x07\x00\x09ab"),
        header("n", b"\x09" + b"\x00" * 3),
        header("n", b"\x07\x00\x01\xff"),
        header("n", b"\x0a\x00"),
        b"\x01\xff" + STRING,
    ],
)
def test_headers_that_make_no_sense_are_refused(headers: bytes) -> None:
    """Cut-off, unknown and undecodable headers raise, although both checksums are right."""
    with pytest.raises(UpstreamBroken, match="header"):
        EventStreamReader().feed(resealed(message(b"{}", headers)))


def test_an_end_inside_a_message_is_an_error() -> None:
    """A stream that stops between two messages is fine, within one it is broken."""
    reader = EventStreamReader()
    assert reader.feed(message(b"a") + message(b"b")[:-1])[0].payload == b"a"
    with pytest.raises(UpstreamBroken, match="ended inside"):
        reader.end()


def test_messages_before_a_damaged_one_are_given_first() -> None:
    """What arrived whole is not lost, and the damage is told by the next call, whichever it is."""
    raw = message(b"a") + message(b"b")[:-1] + b"\x00"
    reader = EventStreamReader()
    assert [got.payload for got in reader.feed(raw)] == [b"a"]
    with pytest.raises(UpstreamBroken, match="checksum"):
        reader.feed(b"")
    with pytest.raises(UpstreamBroken, match="checksum"):
        reader.end()
