"""The JSON documents of an answer, whatever form it comes in.

``alt=sse`` gives server-sent events; a gateway that drops the query gives one JSON array, piece by piece; a failure in
the middle of either is a bare JSON document (wire reference, 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.framing.sse import Frame, SSEReader
from piproxy.jsontext import Json

MAX_DOCUMENT: Final = 32 * 1024 * 1024
"""Bytes that one document of a JSON array may have."""
MAX_STRAY_LINES: Final = 1000
"""Lines of a bare document between events; longer ones are no error that anybody would write."""

_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_OUTSIDE: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')


class DocumentReader:
    """Bytes in, JSON objects out. The first visible byte tells the form."""

    def __init__(self) -> None:
        self._form: _Events | _Plain | None = None

    def feed(self, data: bytes) -> Iterator[dict[str, Json]]:
        """Objects as they become complete; raises :class:`UpstreamBroken` for what cannot be read."""
        if self._form is None:
            data = data.lstrip(_BLANK)
            if not data:
                return
            self._form = _Plain() if data[:1] in b"{[" else _Events()
        yield from self._form.feed(data)

    def end(self) -> Iterator[dict[str, Json]]:
        """What the end of the bytes completes; raises :class:`UpstreamBroken` inside a document."""
        if self._form is not None:
            yield from self._form.end()


class _Events:
    """Server-sent events, and the bare documents between them."""

    def __init__(self) -> None:
        self._sse = SSEReader()
        self._strays = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Json]]:
        yield from _documents(self._sse.feed(data))
        yield from self._stray()

    def end(self) -> Iterator[dict[str, Json]]:
        yield from _documents(self._sse.end())
        yield from self._stray()

    def _stray(self) -> Iterator[dict[str, Json]]:
        lines = self._sse.strays
        if not self._strays < len(lines) <= MAX_STRAY_LINES or not lines[-1].rstrip().endswith((b"}", b"]")):
            return
        self._strays = len(lines)
        try:
            document = jsontext.parse(b"\n".join(lines))
        except (ValueError, RecursionError):
            return  # not whole yet
        lines.clear()
        self._strays = 0
        yield from _objects(document)


class _Plain:
    """An object, an array of objects that arrives piece by piece, or objects one after the other."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # everything before it is understood
        self._open: list[int] = []  # the brackets that are open, as bytes
        self._in_string = False

    def feed(self, data: bytes) -> Iterator[dict[str, Json]]:
        self._buffer += data
        while self._step():
            if not self._open or self._open == [ord("[")]:
                yield from self._cut()
        if len(self._buffer) > MAX_DOCUMENT:
            raise UpstreamBroken(f"The provider sent a document of more than {MAX_DOCUMENT} bytes.")

    def end(self) -> Iterator[dict[str, Json]]:
        if self._open:
            raise UpstreamBroken("The provider's answer ended inside a JSON document.")
        return iter(())

    def _step(self) -> bool:
        """Up to the next bracket outside of strings; ``False`` when more bytes are needed."""
        while found := (_INSIDE if self._in_string else _OUTSIDE).search(self._buffer, self._at):
            char = found[0]
            if char == b"\\":
                if found.end() == len(self._buffer):
                    self._at = found.start()
                    return False
                self._at = found.end() + 1
                continue
            self._at = found.end()
            if char == b'"':
                self._in_string = not self._in_string
                continue
            if char in b"{[":
                if char == b"{" and self._open in ([], [ord("[")]):
                    del self._buffer[: found.start()]
                    self._at = 1
                self._open.append(char[0])
            elif not self._open:
                raise UpstreamBroken("The provider's answer is no JSON.")
            else:
                self._open.pop()
            return True
        self._at = len(self._buffer)
        return False

    def _cut(self) -> Iterator[dict[str, Json]]:
        """A document that just ended; nothing for the brackets of the array around them."""
        document = bytes(self._buffer[: self._at])
        del self._buffer[: self._at]
        self._at = 0
        if document.startswith(b"{"):
            yield from _objects(_parsed(document))


def _documents(frames: Iterable[Frame]) -> Iterator[dict[str, Json]]:
    for frame in frames:
        if frame.data.strip() not in ("", "[DONE]"):
            yield from _objects(_parsed(frame.data))


def _parsed(text: str | bytes) -> Json:
    try:
        return jsontext.parse(text)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("The provider sent a frame that is no JSON.") from error


def _objects(document: Json) -> Iterator[dict[str, Json]]:
    for item in document if isinstance(document, list) else (document,):
        if not isinstance(item, dict):
            raise UpstreamBroken("The provider sent a frame that is no JSON object.")
        yield item
