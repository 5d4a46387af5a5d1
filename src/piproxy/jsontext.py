"""JSON text, one way in and one way out, so that nothing is escaped or rounded differently in two places."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A parsed JSON value: ``dict``, ``list``, ``str``, ``int`` (of any size), ``float``, ``bool`` or ``None``."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode
_encode_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
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
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()


def without_surrogates(value: Json) -> Json:
    """The same value with unpaired surrogates removed from every string: no provider accepts them."""
    if isinstance(value, str):
        return _SURROGATE.sub("", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
