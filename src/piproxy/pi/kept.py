"""Keys and tokens that were made, and when: for how long one that is refused has to be believed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

RECENT: Final = 30.0
"""Seconds in which what is new and was refused is not made again: the reason must be another."""


class Kept(Generic[K, V]):
    """Values by key, each with the time it was put in; ``clock`` gives seconds. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        known = self._values.get(key)
        return None if known is None else known[1]

    def put(self, key: K, value: V) -> V:
        """Keep the value, and give it back."""
        self._values[key] = self._clock(), value
        return value

    def refused(self, key: K) -> bool:
        """A provider did not accept what the value stands for: forget it, unless it is new. Gives whether it went."""
        known = self._values.get(key)
        if known is None or self._clock() - known[0] < RECENT:
            return False
        self.forget(key)
        return True

    def forget(self, key: K) -> None:
        self._values.pop(key, None)
