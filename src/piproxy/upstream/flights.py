"""Work that belongs to the process and that many requests may wait for: one piece per key at a time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import trio

from piproxy.errors import CredentialError, PiproxyError, ShuttingDown

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Flight(Generic[T]):
    done: trio.Event = field(default_factory=trio.Event)
    results: list[T] = field(default_factory=list)
    error: PiproxyError | None = None


class Flights(Generic[T]):
    """Runs work in ``nursery``, which must outlive all requests; ``words`` name it in messages (``{}``: the key)."""

    def __init__(self, nursery: trio.Nursery, words: str) -> None:
        self._nursery = nursery
        self._words = words
        self._flights: dict[str, _Flight[T]] = {}

    async def join(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """The result of the work for ``key``, which is begun if it is not under way.

        Being cancelled here leaves the work alone. Raises what the work raised, if that is an error of ours.
        """
        flight = self._begin(key, work)
        await flight.done.wait()
        if flight.results:
            return flight.results[0]
        raise flight.error or ShuttingDown("The proxy is stopping.")

    def begin(self, key: str, work: Callable[[], Awaitable[T]]) -> None:
        """Begin the work unless it is under way, and do not wait."""
        self._begin(key, work)

    def _begin(self, key: str, work: Callable[[], Awaitable[T]]) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            self._nursery.start_soon(self._fly, key, flight, work, name=self._words.format(key))
        return flight

    async def _fly(self, key: str, flight: _Flight[T], work: Callable[[], Awaitable[T]]) -> None:
        """No error may leave this task: it would end the nursery, and with it every request."""
        try:
            flight.results.append(await work())
        except PiproxyError as exc:
            flight.error = exc
        except Exception:  # noqa: BLE001 - said to the log and to the client
            what = self._words.format(key)
            _log.exception("Getting %s failed in an unforeseen way", what)
            flight.error = CredentialError(f"Getting {what} failed; the log says why.")
        finally:
            del self._flights[key]
            flight.done.set()
