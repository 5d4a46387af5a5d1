"""Finds the line of a value in a JSON text, for messages about a document that parses but makes no sense."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Lines:
    """The lines of one text.

    ``text`` must be JSON without comments (:func:`piproxy.pi.jsonfile.without_comments` keeps the lines).
    """

    def __init__(self, text: str) -> None:
        ends = [found.start() for found in re.finditer("\n", text)]
        self._lines = {path: bisect_left(ends, at) + 1 for path, at in _places(text)}

    def of(self, path: Sequence[str]) -> int | None:
        """The line, from 1, of the value at ``path`` (keys and indexes), or of the nearest one above it.

        Of several equal keys the last one counts, as it does for the parser.
        """
        above = (tuple(path[:length]) for length in range(len(path), -1, -1))
        return next((self._lines[one] for one in above if one in self._lines), None)


def _places(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every value's path and the place of its key, or of itself in a list."""
    kinds: list[str] = []
    labels: list[str] = []
    key_next = False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "}]":
            kinds.pop()
            labels.pop()
        elif sign == ",":
            key_next = kinds[-1] == "{"
            labels[-1] = labels[-1] if key_next else str(int(labels[-1]) + 1)
        elif sign == ":":
            key_next = False
        elif key_next:
            labels[-1] = json.loads(sign)
            yield tuple(labels), token.start()
        else:
            if kinds[-1:] != ["{"]:
                yield tuple(labels), token.start()
            if sign in "{[":
                kinds.append(sign)
                labels.append("0")
                key_next = sign == "{"
