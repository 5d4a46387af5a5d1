"""Heads of HTTP/1.1 messages: a request's written, an answer's read, cut anywhere (RFC 9112, 2 to 6).

As strict as h11, beside which the tests hold it. With httpx's and h11's objects the two heads of a request cost more
than all that a small answer says (measured: 120 µs of CPU against 20).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")
_VALUE: Final = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?")
_STATUS: Final = re.compile(rb"HTTP/([0-9])\.([0-9]) ([0-9]{3})(?: ([^\x00\r\n]*))?")
_END: Final = re.compile(rb"\n\r?\n")
_BEGIN: Final = b"HTTP/"
_SWITCHING: Final = 101
_FINAL: Final = 200
_LENGTH_DIGITS: Final = 20


class BadHead(ValueError):
    """Not HTTP; the text is ours and repeats nothing of the bytes."""


class Head(NamedTuple):
    """The head of an answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; the values of a repeated one are joined by ``", "``."""
    modern: bool
    """HTTP/1.1, not 1.0."""


def request_head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A request's head. Raises :class:`BadHead` for what HTTP does not allow, a line end in a value above all."""
    if not (_TOKEN.fullmatch(method) and _TARGET.fullmatch(target)):
        raise BadHead("illegal request line")
    lines = [method, b" ", target, b" HTTP/1.1\r\n"]
    for name, value in headers:
        if not (_TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise BadHead("illegal header")
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


class HeadReader:
    """Bytes in, the head of the final answer out; ``100 Continue`` and its like are passed over."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes that a head may have."""
        self._limit = limit
        self._held = bytearray()
        self.rest = b""
        """What came behind the head."""

    def feed(self, data: bytes) -> Head | None:
        """The head, when it is complete. Raises :class:`BadHead`."""
        looked = max(0, len(self._held) - 2)
        self._held += data
        while self._held:
            if not self._held.startswith(_BEGIN[: len(self._held)]):
                raise BadHead("illegal status line")
            end = _END.search(self._held, looked)
            if (end.start() if end else len(self._held)) > self._limit:
                raise BadHead("its head is too long")
            if end is None:
                return None
            head = _head(bytes(self._held[: end.start()]))
            if head.status >= _FINAL:
                self.rest = bytes(self._held[end.end() :])
                self._held.clear()
                return head
            del self._held[: end.end()]
            looked = 0
        return None


def _head(text: bytes) -> Head:
    first, *lines = text.split(b"\n")
    found = _STATUS.fullmatch(first.removesuffix(b"\r"))
    if found is None:
        raise BadHead("illegal status line")
    status = int(found[3])
    if status == _SWITCHING:
        raise BadHead("a change of protocol that nobody asked for")
    return Head(status, _checked(_fields(lines)), found[1] == b"1" and found[2] != b"0")


def _fields(lines: Iterable[bytes]) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    for line in _unfolded(lines):
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not (colon and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise BadHead("illegal header line")
        fields.setdefault(name.decode("ascii").lower(), []).append(_text(value))
    return {name: values[0] if len(values) == 1 else ", ".join(values) for name, values in fields.items()}


def _unfolded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A line that begins with white space goes on with the one before it (obsolete, but allowed to servers)."""
    whole: list[bytes] = []
    for line in lines:
        text = line.removesuffix(b"\r")
        if text[:1] in (b" ", b"\t"):
            if not whole:
                raise BadHead("continuation line at start of headers")
            whole.append(text.lstrip(b" \t"))
        else:
            if whole:
                yield b" ".join(whole)
            whole = [text]
    if whole:
        yield b" ".join(whole)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _checked(fields: dict[str, str]) -> dict[str, str]:
    """What says where the body ends must be beyond doubt (RFC 9112, 6.3)."""
    if "content-length" in fields:
        lengths = {length.strip() for length in fields["content-length"].split(",")}
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdigit()) or len(length) > _LENGTH_DIGITS:
            raise BadHead("bad Content-Length")
        fields["content-length"] = length
    if fields.get("transfer-encoding", "chunked").lower() != "chunked":
        raise BadHead("a transfer encoding that nobody asked for")
    return fields
