"""JSON text, one way in and one way out, so that nothing is escaped or rounded differently in two places."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring as _quote
from math import inf
from typing import Any, Final, TypeAlias, cast

Json: TypeAlias = Any
"""A parsed JSON value: ``dict``, ``list``, ``str``, ``int`` (of any size), ``float``, ``bool`` or ``None``."""

PIECE: Final = 256 * 1024
"""Characters of a verbatim text that are turned into bytes at once."""
_LONGEST: Final = 300
"""Digits of an integer that is certainly a number for JavaScript."""


def integer(digits: str) -> int | float:
    """``parse_int`` for files of JavaScript programs: what is beyond its numbers is infinite there."""
    return int(digits) if len(digits) < _LONGEST else float(digits)


class Verbatim:
    """A text from ``start`` on that is ASCII without anything to escape, such as base64.

    As a value in JSON, :func:`dump` writes it without looking at it: of many megabytes that is one copy instead of four
    and a look at each character.
    """

    __slots__ = ("start", "text")

    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.start = start

    def __str__(self) -> str:
        return self.text[self.start :]


class _HasVerbatim(Exception):
    """The value cannot be written in one go."""


def _text(value: object) -> str:
    return str(_verbatim(value))


def _refuse(value: object) -> Json:
    _verbatim(value)
    raise _HasVerbatim


def _verbatim(value: object) -> Verbatim:
    if isinstance(value, Verbatim):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_refuse).encode
_scan = cast(Any, json.JSONDecoder()).scan_once  # what ``raw_decode`` calls
_encode_ascii = json.JSONEncoder(separators=(",", ":"), default=_text).encode
_MARK: Final = "\0verbatim\0"
_MARKED: Final = _encode(_MARK)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: str | bytes) -> Json:
    """Parse JSON. Raises ``ValueError`` with line and column."""
    if type(text) is str and text[:1] == "{":
        try:
            value, end = _scan(text, 0)
        except (ValueError, StopIteration):
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
        return (_quote(value) if type(value) is str else _encode(value)).encode()
    except _HasVerbatim:
        return _spliced(value)
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()


def _spliced(value: Json) -> bytes:
    """With a mark in the place of each verbatim text, for which the text is then put in."""
    found: list[Verbatim] = []

    def mark(value: object) -> str:
        found.append(_verbatim(value))
        return _MARK

    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=mark)
    texts = encoder.encode(value).split(_MARKED)
    if len(texts) != len(found) + 1:  # somebody says the mark: not a word of his is touched
        return _encode_ascii(value).encode()
    try:
        pieces = [text.encode() for text in texts]
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()
    size = sum(map(len, pieces)) + sum(len(verbatim.text) - verbatim.start + 2 for verbatim in found)
    body = io.BytesIO(bytes(size))  # room for all of it: growing would copy
    body.write(pieces[0])
    for verbatim, piece in zip(found, pieces[1:], strict=True):
        body.write(b'"')
        for at in range(verbatim.start, len(verbatim.text), PIECE):
            body.write(verbatim.text[at : at + PIECE].encode("ascii"))
        body.write(b'"' + piece)
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


def as_text(value: Json) -> str:
    """A text of foreign JSON; ``""`` for anything else."""
    return value if isinstance(value, str) else ""


def as_object(value: Json) -> Mapping[str, Json]:
    """An object of foreign JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_count(value: Json) -> int:
    """How many, as providers count; 0 for anything that is no such number."""
    if type(value) is int:
        return max(0, value)
    return int(value) if type(value) is float and 0 <= value < inf else 0
