"""TCP streams that are closed: their socket's number may be somebody else's at once."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from piproxy.upstream.sockets import TcpStream


async def _close(stream: TcpStream) -> None:
    stream.close()


CLOSINGS: dict[str, Callable[[TcpStream], Awaitable[None]]] = {
    "aclose": TcpStream.aclose,
    "close": _close,
    "by force": trio.aclose_forcefully,
}


def pair() -> tuple[TcpStream, socket.socket]:
    ours, theirs = socket.socketpair()
    return TcpStream(trio.SocketStream(trio.socket.from_stdlib_socket(ours))), theirs


@pytest.mark.parametrize("closing", CLOSINGS)
async def test_a_closed_stream_does_not_touch_who_has_its_number_now(closing: str) -> None:
    """Neither does it write to the other's socket, nor read from it."""
    stream, theirs = pair()
    number = stream.socket.fileno()
    await CLOSINGS[closing](stream)
    theirs.close()
    heir, peer = socket.socketpair()
    with heir, peer:
        assert number in (heir.fileno(), peer.fileno())
        for one in (heir, peer):
            one.setblocking(False)
            one.send(b"secret")
        assert stream.send_now(b"stray") == 0
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some(100)
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"stray")
        assert heir.recv(100) == peer.recv(100) == b"secret"


async def test_a_stream_that_is_closed_between_its_wake_up_and_its_turn() -> None:
    """It reads its own bytes or none, never those of its number's new owner, whichever task has its turn first."""
    for _ in range(20):
        stream, theirs = pair()
        got: list[bytes] = []

        async def read(stream: TcpStream = stream, got: list[bytes] = got) -> None:
            with suppress(trio.ClosedResourceError):
                got.append(bytes(await stream.receive_some(100)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            theirs.send(b"own")
            await trio.lowlevel.checkpoint()
            stream.close()
            theirs.close()
            heirs = socket.socketpair()
            for heir in heirs:
                heir.send(b"secret")
        for heir in heirs:
            heir.close()
        assert got in ([], [b"own"])
