from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from piproxy.errors import CredentialError
from piproxy.upstream.tokens import Token, TokenCache


class Source:
    """Gives tokens of 1000 seconds, t1, t2 …; each takes a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0

    async def fetch(self) -> Token:
        self.asked += 1
        number = self.asked
        await trio.sleep(1)
        return Token(f"t{number}", self.now + 1000)


async def value(cache: TokenCache, fetch: Callable[[], Awaitable[Token]]) -> str:
    return (await cache.get("k", fetch)).value


async def test_a_token_is_kept_until_shortly_before_its_end(autojump_clock: trio.testing.MockClock) -> None:
    """Below 120 seconds it is renewed behind the caller's back, below 30 the caller waits."""
    source = Source()
    async with trio.open_nursery() as nursery:
        cache = TokenCache(nursery, lambda: source.now)
        assert await value(cache, source.fetch) == "t1"
        source.now = 879
        assert (await value(cache, source.fetch), source.asked) == ("t1", 1)
        source.now = 881
        assert await value(cache, source.fetch) == "t1"
        await trio.sleep(2)
        assert (await value(cache, source.fetch), source.asked) == ("t2", 2)
        source.now += 971
        assert (await value(cache, source.fetch), source.asked) == ("t3", 3)


async def test_many_callers_wait_for_one_exchange(autojump_clock: trio.testing.MockClock) -> None:
    """And one that leaves does not take it along."""
    source = Source()
    found: list[str] = []
    async with trio.open_nursery() as nursery:
        cache = TokenCache(nursery, lambda: 0.0)

        async def ask() -> None:
            found.append(await value(cache, source.fetch))

        with trio.move_on_after(0.5):
            await ask()
        async with trio.open_nursery() as callers:
            for _ in range(3):
                callers.start_soon(ask)
    assert (found, source.asked) == (["t1"] * 3, 1)


async def test_a_refused_token_is_made_anew_but_not_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """One of the last 30 seconds was refused for another reason; what is unknown is nobody's."""
    source = Source()
    async with trio.open_nursery() as nursery:
        cache = TokenCache(nursery, lambda: source.now)
        cache.refused("k")
        assert await value(cache, source.fetch) == "t1"
        source.now = 29
        cache.refused("k")
        assert await value(cache, source.fetch) == "t1"
        source.now = 30
        cache.refused("k")
        assert await value(cache, source.fetch) == "t2"
        assert source.asked == 2


async def test_an_exchange_has_15_seconds(autojump_clock: trio.testing.MockClock) -> None:
    """It outlives requests, so no deadline of theirs reaches it."""

    async def hang() -> Token:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        cache = TokenCache(nursery, lambda: 0.0)
        with pytest.raises(CredentialError, match="No token for k within 15 seconds") as caught:
            await value(cache, hang)
    assert caught.value.passing


async def test_a_failed_renewal_in_the_background_costs_nothing() -> None:
    """The token is still good; the next caller tries again."""
    now = 0.0
    tokens = [Token("t1", 100), None, Token("t2", 1000)]

    async def fetch() -> Token:
        token = tokens.pop(0)
        if token is None:
            raise CredentialError("no")
        return token

    async with trio.open_nursery() as nursery:
        cache = TokenCache(nursery, lambda: now)
        assert await value(cache, fetch) == "t1"
        assert await value(cache, fetch) == "t1"
        await trio.testing.wait_all_tasks_blocked()
        assert await value(cache, fetch) == "t1"
        await trio.testing.wait_all_tasks_blocked()
        assert await value(cache, fetch) == "t2"


def test_a_token_does_not_show_itself() -> None:
    """Not in a log line."""
    assert "s3cret" not in repr(Token("s3cret", 1, {"a": "s3cret"}))
