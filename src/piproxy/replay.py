"""What must go back to a provider and most clients drop: signatures and encrypted thinking, by tool-call id.

A bounded memory of this process: the least recently used entries go first, by number and by size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final

from piproxy.jsontext import Json, dump

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024


class ReplayMemory:
    """Opaque blocks per ``(api, tool-call id)``."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[tuple[str, str], tuple[Json, int]] = OrderedDict()

    def keep(self, api: str, blocks: Mapping[str, Json]) -> None:
        """Remember what a parser left in its ``replay``."""
        for call_id, value in blocks.items():
            key = (api, call_id)
            if key in self._entries:
                self._bytes -= self._entries.pop(key)[1]
            size = len(dump(value))
            if size > self._max_bytes:
                continue
            self._entries[key] = (value, size)
            self._bytes += size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            _, (_, size) = self._entries.popitem(last=False)
            self._bytes -= size

    def recall(self, api: str, call_id: str) -> Json | None:
        """The block, now the most recently used; ``None`` if it is not known."""
        entry = self._entries.get((api, call_id))
        if entry is None:
            return None
        self._entries.move_to_end((api, call_id))
        return entry[0]

    def view(self, api: str) -> Mapping[str, Json]:
        """The entries of one api as a mapping, read when asked."""
        return _View(self, api)

    def ids(self, api: str) -> list[str]:
        return [call_id for kept, call_id in self._entries if kept == api]

    def __len__(self) -> int:
        return len(self._entries)


class _View(Mapping[str, Json]):
    def __init__(self, memory: ReplayMemory, api: str) -> None:
        self._memory = memory
        self._api = api

    def __getitem__(self, call_id: str) -> Json:
        value = self._memory.recall(self._api, call_id)
        if value is None:
            raise KeyError(call_id)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._memory.ids(self._api))

    def __len__(self) -> int:
        return len(self._memory.ids(self._api))
