"""Which stream of an HTTP/2 connection may send next."""

from __future__ import annotations

from collections import OrderedDict


class Turns:
    """Whose turn it is to send: one stream after the other, of those that have something."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._ready: OrderedDict[int, None] = OrderedDict()

    def insert_stream(self, stream_id: int) -> None:
        self._known.add(stream_id)
        self._ready[stream_id] = None

    def remove_stream(self, stream_id: int) -> None:
        self._known.discard(stream_id)
        self._ready.pop(stream_id, None)

    def block(self, stream_id: int) -> None:
        """It has nothing to send, or may not."""
        self._ready.pop(stream_id, None)

    def unblock(self, stream_id: int) -> None:
        """Raises ``KeyError`` if there is no such stream any more."""
        if stream_id not in self._known:
            raise KeyError(stream_id)
        self._ready.setdefault(stream_id)

    def turn(self) -> int | None:
        """The next one; ``None`` if all are blocked."""
        if not self._ready:
            return None
        stream_id = next(iter(self._ready))
        self._ready.move_to_end(stream_id)
        return stream_id
