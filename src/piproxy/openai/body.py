"""The JSON object in a request body."""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn

from piproxy import jsontext
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.openai import faults

MAX_DEPTH: Final = 200
"""Levels of nesting in a body; deeper ones could not be written again."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def parse_body(body: bytes | bytearray) -> dict[str, Json]:
    """The object in a request body. Raises :class:`InvalidRequest`.

    Stricter than ``json.loads``, which lets ``NaN`` and infinite numbers through that could not be sent on; lone halves
    of surrogate pairs are removed (native wire reference, 1.4).
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequest("The request body is not valid UTF-8.", code="invalid_json") from None
    if not text or text.isspace():
        raise InvalidRequest("The request body is empty; it must be a JSON object.", code="invalid_json")
    # Looking for one byte is ten times as fast as looking for three, and an image has no escapes.
    halves = b"\\" in body and (b"\\ud" in body or b"\\uD" in body)
    del body  # who calls without keeping it has one copy less of a large one while the text is read
    try:
        value = _JSON.decode(text)
    except ValueError as error:
        # Python refuses integers of more than 4,300 digits, and says how to change that.
        reason = "an integer has too many digits" if str(error).startswith("Exceeds the limit") else error
        raise InvalidRequest(f"The request body is not valid JSON: {reason}.", code="invalid_json") from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"The request body must be a JSON object, but it is {faults.json_type(value)}.", code="invalid_type"
        )
    _check_depth(value)
    if halves:
        return {jsontext.without_surrogates(name): jsontext.without_surrogates(item) for name, item in value.items()}
    return value


def _check_depth(root: Json) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The request body is nested more than {MAX_DEPTH} levels deep.", code="invalid_json")
