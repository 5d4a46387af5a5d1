"""Server-sent events, cut anywhere.

Only CR, LF and CRLF end a line (HTML Living Standard, 9.2.6): ``str.splitlines`` would also cut at U+2028 and U+0085,
which JSON strings may hold raw. ``bytes.splitlines`` knows just these three. Strategy: bytes without a line end are
only collected, so that a frame that arrives byte by byte costs no more than one that arrives whole.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from piproxy.errors import UpstreamBroken

MAX_FRAME: Final = 32 * 1024 * 1024
"""Bytes that one frame may have; a provider that never ends a frame must not fill the memory."""

MAX_STRAYS: Final = 256 * 1024

_BOM: Final = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event: ``data`` lines joined by LF, and the ``event`` name if there was one."""

    data: str
    event: str | None = None


class SSEReader:
    """Bytes in, frames out. Comments, ``id`` and ``retry`` are skipped; a frame without data is not given."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max = max_frame
        self._rest: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._event: bytes | None = None
        self._swallow_lf = False
        self._first = True
        self.comments = 0
        self.strays: list[bytes] = []
        """Lines that belong to no event stream, such as an error document that a server writes between two frames; the
        first :data:`MAX_STRAYS` bytes of them."""
        self._stray_size = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that became complete. Raises :class:`UpstreamBroken` if one grows beyond the limit."""
        if not data:
            return []
        if self._swallow_lf:  # the LF of a CRLF that was cut in two
            self._swallow_lf = False
            if data.startswith(b"\n"):
                data = data[1:]
                if not data:
                    return []
        if (only := self.only(data)) is not None:
            return [Frame(only)]
        if (several := self._several(data)) is not None:
            return several
        self._size += len(data)
        if b"\n" not in data and b"\r" not in data:
            self._rest.append(data)
            self._check()
            return []
        if self._rest:
            self._rest.append(data)
            data = b"".join(self._rest)
            self._rest = []
        self._swallow_lf = data.endswith(b"\r")
        lines = data.splitlines()
        if not data.endswith((b"\n", b"\r")):
            self._rest.append(lines.pop())
        frames: list[Frame] = []
        for line in lines:
            self._line(line, frames)
        self._size = sum(map(len, self._rest)) + sum(len(line) + 1 for line in self._data)
        self._check()
        return frames

    def only(self, data: bytes) -> str | None:
        """The data of the one frame that ``data`` is, without a name: what nearly every read of a slow stream is.

        ``None``, and nothing is taken, when it is more or less than that.
        """
        if (
            data.endswith(b"\n\n")
            and data.startswith(b"data: ")
            and 8 < len(data) <= self._max
            and data.find(b"\n") == len(data) - 2
            and b"\r" not in data
            and not (self._first or self._rest or self._data or self._event or self._swallow_lf)
        ):
            return data[6:-2].decode("utf-8", "replace")
        return None

    def _several(self, data: bytes) -> list[Frame] | None:
        """The same for frames that arrived together."""
        if (
            not data.endswith(b"\n\n")
            or len(data) > self._max
            or b"\r" in data
            or self._rest
            or self._data
            or self._event
        ):
            return None
        frames: list[Frame] = []
        for piece in data[:-2].split(b"\n\n"):
            if not piece.startswith(b"data: ") or b"\n" in piece:
                return None
            frames.append(Frame(piece[6:].decode("utf-8", "replace")))
        self._first = False
        return frames

    def end(self) -> list[Frame]:
        """The connection ended: what was not followed by a blank line counts as a frame, too."""
        frames: list[Frame] = []
        if self._rest:
            self._line(b"".join(self._rest), frames)
            self._rest = []
        self._line(b"", frames)
        return frames

    def _check(self) -> None:
        if self._size > self._max:
            raise UpstreamBroken(f"The provider sent a frame of more than {self._max} bytes.")

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                event = self._event.decode("utf-8", "replace") if self._event else None
                frames.append(Frame(b"\n".join(self._data).decode("utf-8", "replace"), event))
                self._data = []
            self._event = None
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif line.startswith(b":"):
            self.comments += 1
        elif line == b"data":
            self._data.append(b"")
        elif not line.startswith((b"id:", b"retry:")) and self._stray_size + len(line) < MAX_STRAYS:
            self._stray_size += len(line) + 1
            self.strays.append(line)
