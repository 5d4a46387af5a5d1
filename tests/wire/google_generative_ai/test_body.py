"""The documents of an answer, in every form that Google sends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from piproxy.errors import UpstreamBroken
from piproxy.jsontext import Json
from piproxy.wire.google_generative_ai import body
from piproxy.wire.google_generative_ai.body import DocumentReader

DOCUMENTS = [{"a": 'brackets ]}[{ and "quotes" and \\ \u2028 ß'}, {"b": [{"c": {}}, [], "]"]}, {}]


def read(raw: bytes, size: int = 1_000_000) -> list[dict[str, Json]]:
    reader = DocumentReader()
    documents: list[dict[str, Json]] = []
    for at in range(0, len(raw), size):
        documents += reader.feed(raw[at : at + size])
    return [*documents, *reader.end()]


def events(documents: list[Json]) -> bytes:
    return b"".join(b"data: " + json.dumps(document).encode() + b"\r\n\r\n" for document in documents)


FORMS = {
    "events": events(DOCUMENTS),
    "array": json.dumps(DOCUMENTS, ensure_ascii=False, indent=2).encode(),
    "array with a byte order mark": b"\xef\xbb\xbf \n" + json.dumps(DOCUMENTS).encode(),
    "one after the other": b"\n".join(json.dumps(document).encode() for document in DOCUMENTS),
    "events with arrays": events([DOCUMENTS[:1], DOCUMENTS[1:]]),
    "events that end with [DONE]": events(DOCUMENTS) + b"data: [DONE]\n\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 2, 3, 17, 1_000_000])
def test_every_form_gives_the_same_documents(form: str, size: int) -> None:
    """Events, an array and a row of objects say the same, however their bytes are cut."""
    assert read(FORMS[form], size) == DOCUMENTS


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3), max_size=5), st.integers(1, 9))
def test_any_array_is_read_piece_by_piece(documents: list[dict[str, str]], size: int) -> None:
    """No text inside a document can be mistaken for the end of it."""
    assert read(json.dumps(documents, ensure_ascii=False).encode("utf-8", "surrogatepass"), size) == documents


@pytest.mark.parametrize("size", [1, 5, 1_000_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_bare_document_between_events_is_found(size: int, indent: int | None) -> None:
    """Google writes an error without ``data:`` when it fails in the middle."""
    raw = events([{"a": 1}]) + json.dumps([{"error": {"code": 500}}], indent=indent).encode()
    assert read(raw, size) == [{"a": 1}, {"error": {"code": 500}}]
    assert read(raw + b"\n", size) == [{"a": 1}, {"error": {"code": 500}}]


def test_lines_without_an_end_cost_little() -> None:
    """A flood of lines that never become a document is neither kept nor parsed again and again."""
    reader = DocumentReader()
    assert list(reader.feed(b": hello\n" + b"}\n" * 300_000 + events([{"a": 1}]))) == [{"a": 1}]
    assert list(reader.end()) == []


def test_an_array_gives_its_first_document_before_the_second_has_begun() -> None:
    """A stream stays a stream."""
    reader = DocumentReader()
    assert list(reader.feed(b'[{"a": 1}')) == [{"a": 1}]


@pytest.mark.parametrize(
    "raw",
    [b"data: {\n\n", b"data: 17\n\n", b'data: ["x"]\n\n', b'[{"a": 1}', b'{"a": ', b'{"a": 1}]', b'{"a": nonsense}'],
)
def test_what_is_no_document_is_an_error(raw: bytes) -> None:
    """Broken JSON, JSON that is no object, and an end in the middle raise."""
    with pytest.raises(UpstreamBroken):
        read(raw)


def test_a_document_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(body, "MAX_DOCUMENT", 100)
    reader = DocumentReader()
    with pytest.raises(UpstreamBroken, match="more than 100 bytes"):
        for _ in range(100):
            list(reader.feed(b'{"aaaaaaaaaaaaaaaaaaaaaaa": '))


def test_nothing_is_no_document() -> None:
    """An empty answer has no documents; what that means is the parser's to say."""
    assert read(b"") == read(b"\r\n \n") == []
