"""The body of a streamed answer: the short way, the long way, and the order of both."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from piproxy.server.body import StreamBody


class FakeWriter:
    """A socket that takes ``room`` bytes at once, and the rest when it is flushed."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.busy = False
        self.sent = b""
        self.flushing: trio.Event | None = None
        self._rest = b""

    def write(self, piece: bytes) -> bool:
        if self.busy or self._rest:
            raise trio.WouldBlock
        now, self._rest = piece[: self.room], piece[self.room :]
        self.sent += now
        self.room -= len(now)
        return not self._rest

    async def flush(self) -> None:
        if self.flushing is not None:
            await self.flushing.wait()
        self.sent += self._rest
        self._rest = b""


async def take(body: StreamBody, into: list[bytes]) -> None:
    """What Quart does with a body."""
    async with body:
        async for piece in body:
            into.append(piece)
            await trio.lowlevel.checkpoint()


async def test_pieces_take_the_short_way_while_the_answering_task_waits(nursery: trio.Nursery) -> None:
    """Before it waits nothing is taken; from then on it is not woken."""
    writer, long = FakeWriter(100), list[bytes]()
    body = StreamBody(writer)
    with pytest.raises(trio.WouldBlock):
        body.send_nowait(b"early")
    nursery.start_soon(take, body, long)
    await wait_all_tasks_blocked()
    body.send_nowait(b"one")
    body.send_nowait(b"two")
    assert (writer.sent, long) == (b"onetwo", [])
    await body.aclose()
    await wait_all_tasks_blocked()
    assert (writer.sent, long) == (b"onetwo", [])


async def test_without_a_writer_every_piece_takes_the_long_way(nursery: trio.Nursery) -> None:
    """One at a time: the next is not taken before the one before has gone out."""
    long = list[bytes]()
    body = StreamBody()
    nursery.start_soon(take, body, long)
    await wait_all_tasks_blocked()
    body.send_nowait(b"one")
    with pytest.raises(trio.WouldBlock):
        body.send_nowait(b"two")
    await body.send(b"two")
    await body.aclose()
    await wait_all_tasks_blocked()
    assert long == [b"one", b"two"]


async def test_what_the_socket_does_not_take_is_flushed_before_anything_else(nursery: trio.Nursery) -> None:
    """The exchange is held back meanwhile, and the short way is open again afterwards."""
    writer, long = FakeWriter(4), list[bytes]()
    writer.flushing = trio.Event()
    body = StreamBody(writer)
    nursery.start_soon(take, body, long)
    await wait_all_tasks_blocked()
    body.send_nowait(b"abcdef")
    assert writer.sent == b"abcd"
    for _ in range(2):
        with pytest.raises(trio.WouldBlock):
            body.send_nowait(b"gh")
        await wait_all_tasks_blocked()
    nursery.start_soon(body.send, b"gh")
    await wait_all_tasks_blocked()
    assert (writer.sent, long) == (b"abcd", [])
    writer.flushing.set()
    await wait_all_tasks_blocked()
    assert (writer.sent, long) == (b"abcdef", [b"gh"])
    writer.room = 10
    body.send_nowait(b"ij")
    assert (writer.sent, long) == (b"abcdefij", [b"gh"])


async def test_a_busy_connection_gets_the_piece_the_long_way(nursery: trio.Nursery) -> None:
    """As one of HTTP/2 or with a length always does."""
    writer, long = FakeWriter(100), list[bytes]()
    writer.busy = True
    body = StreamBody(writer)
    nursery.start_soon(take, body, long)
    await wait_all_tasks_blocked()
    body.send_nowait(b"one")
    writer.busy = False
    with pytest.raises(trio.WouldBlock):  # the first has not gone out: nothing may overtake it
        body.send_nowait(b"two")
    await wait_all_tasks_blocked()
    body.send_nowait(b"two")
    assert (writer.sent, long) == (b"two", [b"one"])


async def test_an_exchange_that_waits_for_its_client_can_be_cancelled(nursery: trio.Nursery) -> None:
    """The write goes on, the exchange does not."""
    writer, long = FakeWriter(1), list[bytes]()
    writer.flushing = trio.Event()
    body = StreamBody(writer)
    nursery.start_soon(take, body, long)
    await wait_all_tasks_blocked()
    body.send_nowait(b"ab")
    with trio.CancelScope() as scope:
        nursery.start_soon(wait_all_tasks_blocked)
        scope.cancel()
        await body.send(b"cd")
    assert scope.cancelled_caught
    writer.flushing.set()
    await body.aclose()
    await wait_all_tasks_blocked()
    assert (writer.sent, long) == (b"ab", [])


async def test_a_body_that_nobody_reads_holds_nobody() -> None:
    """An answer that was replaced, or never began."""
    body = StreamBody()
    body.abandon()
    with pytest.raises(trio.BrokenResourceError):
        body.send_nowait(b"x")
