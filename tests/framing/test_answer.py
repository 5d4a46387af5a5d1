from __future__ import annotations

import pytest

from piproxy.errors import UpstreamBroken
from piproxy.framing.answer import AnswerReader
from piproxy.framing.sse import Frame


def read(reader: AnswerReader, pieces: list[bytes]) -> list[Frame]:
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    return frames + reader.end()


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


@pytest.mark.parametrize("body", [b'{"a": 1}', b' \r\n{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b"[1]"])
def test_a_json_body_becomes_a_document_at_every_cut(body: bytes) -> None:
    """JSON is recognised by its first byte, however the bytes arrive."""
    for pieces in ([body], bytewise(body)):
        reader = AnswerReader()
        assert read(reader, pieces) == []
        assert reader.document == body.removeprefix(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    "body", [b"data: {}\n\n", b": hi\n\ndata: {}\r\n\r\n", b"\xef\xbb\xbfdata: {}", b"\n\ndata: {}"]
)
def test_an_event_stream_becomes_frames_at_every_cut(body: bytes) -> None:
    """Everything that does not begin like JSON is read as a stream."""
    for pieces in ([body], bytewise(body)):
        reader = AnswerReader()
        assert read(reader, pieces) == [Frame("{}")]
        assert reader.document is None


def test_an_empty_answer_is_neither_frames_nor_document() -> None:
    """Nothing came, so there is nothing to give."""
    reader = AnswerReader()
    assert read(reader, []) == []
    assert reader.document is None


def test_a_document_has_a_limit() -> None:
    """A provider that never ends its document does not fill the memory."""
    reader = AnswerReader(max_size=8)
    reader.feed(b"{1234567")
    with pytest.raises(UpstreamBroken, match="more than 8 bytes"):
        reader.feed(b"8")
