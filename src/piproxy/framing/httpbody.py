"""Bodies of HTTP/1.1 answers: chunked, of a known length, or up to the end of the connection (RFC 9112, 6 and 7).

Why not h11 here: a provider that streams sends one small chunk per token, and h11 turns each into an event of its own
(measured: 14 µs each, more than parsing the token costs). These readers give everything that is in the bytes at once.
"""

from __future__ import annotations

from typing import Final, Protocol

from piproxy.errors import UpstreamBroken

_MAX_LINE: Final = 16 * 1024
"""Bytes of a chunk's size line with its extensions, or of a trailer line."""
_MAX_DIGITS: Final = 16
_HEX: Final = b"0123456789abcdefABCDEF"


class BodyReader(Protocol):
    """Raw bytes in, body bytes out."""

    done: bool
    """The body is complete; what came after it is in :attr:`rest`."""
    rest: bytes
    broken: UpstreamBroken | None
    """The framing is broken behind the bytes that were given last: raise this instead of feeding more."""

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``, often all of it. Raises :class:`UpstreamBroken` for broken framing."""
        ...

    def eof(self) -> None:
        """The connection ended. Raises :class:`UpstreamBroken` unless the body is complete now."""
        ...


class LengthReader:
    """``Content-Length``; a length of 0 is done at once."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.rest = b""
        self.broken: UpstreamBroken | None = None

    def feed(self, data: bytes) -> bytes:
        if len(data) < self._left:
            self._left -= len(data)
            return data
        body, self.rest = data[: self._left], data[self._left :]
        self._left = 0
        self.done = True
        return body

    def eof(self) -> None:
        if not self.done:
            raise UpstreamBroken(f"The provider's answer broke off with {self._left} bytes still to come.")


class EndReader:
    """Neither length nor chunks: the body ends with the connection."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.broken: UpstreamBroken | None = None

    def feed(self, data: bytes) -> bytes:
        return data

    def eof(self) -> None:
        self.done = True


class ChunkedReader:
    """``Transfer-Encoding: chunked``; extensions and trailers are skipped."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.broken: UpstreamBroken | None = None
        self._pending = b""
        self._left = 0
        self._after_data = False
        self._trailers = False

    def feed(self, data: bytes) -> bytes:
        if not (self._pending or self._left or self._after_data or self._trailers or self.done):
            # One whole chunk, as nearly every read of a slow stream is.
            start = data.find(b"\r\n", 1, 18)
            if start > 0 and data.endswith(b"\r\n") and not data[:start].strip(_HEX):
                length = int(data[:start], 16)
                if length and length == len(data) - start - 4:
                    return data[start + 2 : -2]
        if self._pending:
            data = self._pending + data
            self._pending = b""
        out: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._left:
                end = min(at + self._left, size)
                out.append(data[at:end])
                self._left -= end - at
                at = end
                if not self._left:
                    self._after_data = not data.startswith(b"\r\n", at)
                    at += 0 if self._after_data else 2
                continue
            line_end = data.find(b"\n", at, at + _MAX_LINE)
            if line_end < 0:
                if size - at >= _MAX_LINE:
                    self.broken = UpstreamBroken("The provider's answer has a chunk without a size.")
                break
            line = data[at:line_end].rstrip(b"\r")
            at = line_end + 1
            if 0 < len(line) <= _MAX_DIGITS and not (self._after_data or self._trailers) and not line.strip(_HEX):
                self._left = int(line, 16)
                self._trailers = not self._left
                continue
            try:
                self._line(line)
            except UpstreamBroken as error:
                self.broken = error
                break
        if self.broken is not None and not out:
            raise self.broken
        if self.done:
            self.rest = data[at:]
        else:
            self._pending = data[at:]
        return out[0] if len(out) == 1 else b"".join(out)

    def eof(self) -> None:
        if not self.done:
            raise UpstreamBroken("The provider's answer broke off in the middle of its chunks.")

    def _line(self, line: bytes) -> None:
        if self._after_data:
            self._after_data = False
            if line:
                raise UpstreamBroken("The provider's answer has a chunk that is longer than it says.")
        elif self._trailers:
            self.done = not line
        else:
            text = line.partition(b";")[0].strip()
            if not text or len(text) > _MAX_DIGITS or text.strip(_HEX):
                raise UpstreamBroken("The provider's answer has a chunk without a size.")
            self._left = int(text, 16)
            self._trailers = not self._left
