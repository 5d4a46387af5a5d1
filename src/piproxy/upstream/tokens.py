"""Short-lived access tokens that are kept in memory only (Google, Anthropic workload identity)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from piproxy.errors import CredentialError
from piproxy.pi.kept import Kept
from piproxy.upstream.flights import Flights

SOFT: Final = 120.0
"""Seconds before its end from which a token is renewed in the background."""
HARD: Final = 30.0
"""Seconds before its end from which nobody is given the token any more."""
BUDGET: Final = 15.0
"""Seconds for one exchange; it outlives the request that began it, so the exchange's deadlines do not reach it."""


@dataclass(frozen=True, slots=True)
class Token:
    """``expires`` in seconds since the epoch; ``headers`` go along with every use."""

    value: str = field(repr=False)
    expires: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class TokenCache:
    """One token per key, one exchange per key at a time."""

    def __init__(self, nursery: trio.Nursery, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens: Kept[str, Token] = Kept(clock)
        self._flights: Flights[Token] = Flights(nursery, "a token for {}")

    async def get(self, key: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """The token of ``key``, from ``fetch`` if there is none that lasts; raises what ``fetch`` raises."""
        token = self._tokens.get(key)
        left = token.expires - self._clock() if token else 0.0
        work = partial(self._renew, key, fetch)
        if token is None or left <= HARD:
            return await self._flights.join(key, work)
        if left <= SOFT:
            self._flights.begin(key, work)
        return token

    def refused(self, key: str) -> None:
        """A provider did not accept the token of ``key``, whatever its end: the next caller gets a new one."""
        self._tokens.refused(key)

    async def _renew(self, key: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        with trio.move_on_after(BUDGET):
            return self._tokens.put(key, await fetch())
        raise CredentialError(f"No token for {key} within {BUDGET:g} seconds.", passing=True)
