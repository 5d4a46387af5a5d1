"""Relays that only copy bytes: ``python -m benchmarks.relay epoll|trio PORT TO``.

What one of these needs per event, a program that does something with the bytes can hardly do without.
"""

from __future__ import annotations

import os
import select
import socket
import sys

import trio

HOST = "127.0.0.1"
SIZE = 65536


def with_epoll(port: int, to: int) -> None:
    """Two system calls for each piece, and nothing else."""
    listener = socket.create_server((HOST, port))
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    other: dict[int, tuple[socket.socket, socket.socket]] = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                client, provider = listener.accept()[0], socket.create_connection((HOST, to))
                for one, two in ((client, provider), (provider, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    other[one.fileno()] = one, two
                    poll.register(one, select.EPOLLIN)
            elif data := os.read(number, SIZE):
                os.write(other[number][1].fileno(), data)
            else:
                for one in other[number]:
                    del other[one.fileno()]
                    one.close()
                break  # what else was found may be closed now


async def with_trio(port: int, to: int) -> None:
    """As its documents write such a relay: a task for each direction."""

    async def copy(source: trio.SocketStream, sink: trio.SocketStream, end: trio.CancelScope) -> None:
        async for data in source:
            await sink.send_all(data)
        end.cancel()

    async def relay(client: trio.SocketStream) -> None:
        async with client, await trio.open_tcp_stream(HOST, to) as provider, trio.open_nursery() as both:
            both.start_soon(copy, client, provider, both.cancel_scope)
            both.start_soon(copy, provider, client, both.cancel_scope)

    await trio.serve_tcp(relay, port, host=HOST)


def main() -> None:
    kind, port, to = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if kind == "epoll":
        with_epoll(port, to)
    else:
        trio.run(with_trio, port, to)


if __name__ == "__main__":
    main()
