"""An answer that should be an event stream, but may be one JSON document: some providers answer an error, or the whole
completion, as JSON with status 200, and not all of them say so in ``content-type``. The first byte tells.
"""

from __future__ import annotations

from typing import Final

from piproxy.errors import UpstreamBroken
from piproxy.framing.sse import MAX_FRAME, Frame, SSEReader

_BOM: Final = b"\xef\xbb\xbf"


class AnswerReader:
    """Bytes in; frames of an event stream out, or :attr:`document` at the end."""

    def __init__(self, max_size: int = MAX_FRAME) -> None:
        self._sse = SSEReader(max_size)
        self._max = max_size
        self._head = b""
        self._is_document: bool | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self.document: bytes | None = None
        """The whole JSON document, after :meth:`end`; ``None`` if the answer was a stream."""

    def feed(self, data: bytes) -> list[Frame]:
        """Frames that became complete. Raises :class:`UpstreamBroken` if a frame or the document is too big."""
        if self._is_document is None:
            self._head += data
            start = self._head.removeprefix(_BOM).lstrip()
            if not start or _BOM.startswith(start):
                return []
            self._is_document = start[:1] in (b"{", b"[")
            data, self._head = self._head, b""
        if not self._is_document:
            return self._sse.feed(data)
        self._size += len(data)
        if self._size > self._max:
            raise UpstreamBroken(f"The provider sent an answer of more than {self._max} bytes.")
        self._pieces.append(data)
        return []

    def end(self) -> list[Frame]:
        """The connection ended: the last frame, if it had no blank line; or :attr:`document` is set now."""
        if self._is_document:
            self.document = b"".join(self._pieces).removeprefix(_BOM)
            return []
        return self._sse.end()

    @property
    def strays(self) -> bytes:
        """Lines of a stream that belong to no frame, such as an error document behind it."""
        return b"\n".join(self._sse.strays)
