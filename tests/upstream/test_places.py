"""A limit and a fair queue, in virtual seconds."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.errors import Overloaded
from piproxy.upstream.places import Places


async def test_places_are_given_in_the_order_of_asking(autojump_clock: MockClock) -> None:
    """Two at once, each for a second; the others follow first come, first served."""
    places = Places(2, 10)
    start = trio.current_time()
    served: list[tuple[int, float]] = []

    async def ask(number: int) -> None:
        async with places.place():
            served.append((number, trio.current_time() - start))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(ask, number)
            await wait_all_tasks_blocked()
    assert sorted(served) == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert (places.taken, places.waiting) == (0, 0)


async def test_beyond_the_queue_is_a_503_that_says_when(autojump_clock: MockClock) -> None:
    """Nobody is turned away while there is room to wait, and everybody is when there is none."""
    places = Places(1, 1)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(_hold, places)
            await wait_all_tasks_blocked()
        assert (places.taken, places.waiting) == (1, 1)
        with pytest.raises(Overloaded) as caught:
            async with places.place():
                raise AssertionError
        assert (caught.value.status, caught.value.headers) == (503, {"retry-after": "1"})
        nursery.cancel_scope.cancel()
    assert (places.taken, places.waiting) == (0, 0)


async def test_whoever_leaves_the_queue_frees_its_place_there(autojump_clock: MockClock) -> None:
    """The next behind it gets the place; the one that left never has it."""
    places = Places(1, 2)
    scope, had = trio.CancelScope(), []

    async def impatient() -> None:
        with scope:
            async with places.place():
                had.append("impatient")

    async def patient() -> None:
        async with places.place():
            had.append("patient")

    async with trio.open_nursery() as nursery, places.place():
        for ask in (impatient, patient):
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert (places.taken, places.waiting) == (1, 1)
    assert had == ["patient"]
    assert (places.taken, places.waiting) == (0, 0)


async def test_a_higher_limit_counts_at_once(autojump_clock: MockClock) -> None:
    """Whoever waits is let in; a lower one takes nothing away."""
    places = Places(1, 5)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(_hold, places)
        await wait_all_tasks_blocked()
        places.resize(3, 5)
        await wait_all_tasks_blocked()
        assert (places.taken, places.waiting) == (3, 1)
        places.resize(1, 0)
        await wait_all_tasks_blocked()
        assert (places.taken, places.waiting) == (3, 1)
        places.resize(0, 0)
        await wait_all_tasks_blocked()
        assert (places.taken, places.waiting) == (4, 0)
        nursery.cancel_scope.cancel()


async def _hold(places: Places) -> None:
    async with places.place():
        await trio.sleep_forever()
