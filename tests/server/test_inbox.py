"""What a client sends on its way to the app: with a listener, without one, and after the app has ended."""

from __future__ import annotations

import trio
from hypercorn.typing import ASGIReceiveEvent
from trio.testing import wait_all_tasks_blocked

from piproxy.server.inbox import Inbox


def piece(text: bytes) -> ASGIReceiveEvent:
    return {"type": "http.request", "body": text, "more_body": True}


async def test_messages_wait_for_whoever_receives(nursery: trio.Nursery) -> None:
    """In their order; beyond the size whoever puts waits."""
    inbox, got = Inbox(2), list[ASGIReceiveEvent]()

    async def put() -> None:
        for text in (b"1", b"2", b"3", b"4"):
            await inbox.put(piece(text))
        got.append({"type": "http.disconnect"})

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    assert got == []
    received = [await inbox.receive(), await inbox.receive()]
    await wait_all_tasks_blocked()
    assert got == [{"type": "http.disconnect"}]
    received += [await inbox.receive(), await inbox.receive()]
    assert received == [piece(b"1"), piece(b"2"), piece(b"3"), piece(b"4")]


async def test_one_who_waits_gets_the_next_message(nursery: trio.Nursery) -> None:
    """Also when it came before."""
    inbox, got = Inbox(10), list[ASGIReceiveEvent]()

    async def receive() -> None:
        got.append(await inbox.receive())

    nursery.start_soon(receive)
    await wait_all_tasks_blocked()
    await inbox.put(piece(b"1"))
    await wait_all_tasks_blocked()
    assert got == [piece(b"1")]


async def test_a_listener_hears_everything_at_once(nursery: trio.Nursery) -> None:
    """What is there, what waited to be put, and what comes; nobody waits any more."""
    inbox, heard = Inbox(1), list[ASGIReceiveEvent]()
    await inbox.put(piece(b"1"))
    nursery.start_soon(inbox.put, piece(b"2"))
    await wait_all_tasks_blocked()
    inbox.listen(heard.append)
    assert heard == [piece(b"1")]
    await wait_all_tasks_blocked()
    for text in (b"3", b"4"):
        await inbox.put(piece(text))
    assert heard == [piece(b"1"), piece(b"2"), piece(b"3"), piece(b"4")]


async def test_an_app_that_has_ended_holds_nobody(nursery: trio.Nursery) -> None:
    """What was not read is thrown away, and so is everything behind it."""
    inbox, done = Inbox(1), trio.Event()

    async def put() -> None:
        for _ in range(3):
            await inbox.put(piece(b"x"))
        done.set()

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    assert not done.is_set()
    inbox.close()
    await wait_all_tasks_blocked()
    assert done.is_set()
