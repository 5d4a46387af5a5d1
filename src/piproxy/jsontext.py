"""JSON text, one way in and one way out, so that nothing is escaped or rounded differently in two places."""

from __future__ import annotations

import io
import json
import re
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A parsed JSON value: ``dict``, ``list``, ``str``, ``int`` (of any size), ``float``, ``bool`` or ``None``."""

PIECE: Final = 1024 * 1024
"""Characters of a verbatim text that are turned into bytes at once."""


class Verbatim:
    """A text without anything to escape, such as base64: a value that :func:`dump` writes without looking at it.

    Of many megabytes it makes one copy that way, instead of four and a look at each character.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Verbatim({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == (other.text if isinstance(other, Verbatim) else other)

    def __hash__(self) -> int:
        return hash(self.text)


class _HasVerbatim(Exception):
    """The value cannot be written in one go."""


def _text(value: object) -> str:
    if not isinstance(value, Verbatim):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return value.text


def _refuse(value: object) -> Json:
    _text(value)
    raise _HasVerbatim


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_refuse).encode
_decode = json.JSONDecoder().raw_decode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), default=_text).encode
_MARK: Final = "\0verbatim\0"
_MARKED: Final = _encode(_MARK)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: str | bytes) -> Json:
    """Parse JSON. Raises ``ValueError`` with line and column."""
    if type(text) is str and text[:1] == "{":
        try:
            value, end = _decode(text)
        except ValueError:
            pass  # json.loads finds the same, and says it in its words
        else:
            if end == len(text):
                return value
    return json.loads(text)


def dump(value: Json) -> bytes:
    """Compact UTF-8 JSON.

    Half of a surrogate pair (a provider may split one over two deltas) cannot be UTF-8; a text that holds one is
    written with ``\\u`` escapes, which JSON allows, so that the client can join the halves again.
    """
    try:
        return _encode(value).encode()
    except _HasVerbatim:
        return _spliced(value)
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()


def _spliced(value: Json) -> bytes:
    """With a mark in the place of each verbatim text, for which the text is then put in."""
    texts: list[str] = []

    def mark(verbatim: Verbatim) -> str:
        texts.append(_text(verbatim))
        return _MARK

    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=mark)
    pieces = encoder.encode(value).split(_MARKED)
    if len(pieces) != len(texts) + 1:  # somebody says the mark: not a word of his is touched
        return _encode_ascii(value).encode()
    body = io.BytesIO()
    try:
        body.write(pieces[0].encode())
        for text, piece in zip(texts, pieces[1:], strict=True):
            body.write(b'"')
            for at in range(0, len(text), PIECE):
                body.write(text[at : at + PIECE].encode())
            body.write(b'"' + piece.encode())
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()
    return body.getvalue()


def without_surrogates(value: Json) -> Json:
    """The same value with unpaired surrogates removed from every string: no provider accepts them."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
