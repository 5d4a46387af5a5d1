"""A client that has gone: the provider hears it before any task has its turn."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

import pytest
import trio
from fakes.tls import write_tls

from piproxy.upstream.connections import Connection, Origin
from piproxy.upstream.http import Http
from piproxy.upstream.sockets import TcpStream

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def test_a_cut_needs_no_turn_of_any_task() -> None:
    """The other side reads the end at once; cutting what is closed does nothing."""
    ours, theirs = socket.socketpair()
    with theirs:
        stream = TcpStream(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
        connection = Connection(stream, Origin("http", "provider.test", 80))
        theirs.setblocking(False)
        connection.cut()
        assert theirs.recv(1) == b""
        await connection.aclose()
        connection.cut()


async def test_a_connection_that_went_back_is_not_cut() -> None:
    """It may be another request's by then."""
    accepted = 0

    async def answer(stream: trio.SocketStream) -> None:
        nonlocal accepted
        accepted += 1
        while await stream.receive_some(65536):
            await stream.send_all(ANSWER)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery, Http() as http:
            listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
            for _ in range(2):
                asked = http.stream("GET", url, headers={})
                async with asked as answered:
                    assert await answered.read() == b"hi"
                    assert await answered.read() == b""
                asked.cut()  # type: ignore[attr-defined]
            assert accepted == 1
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("proxied", [False, True], ids=["own", "httpx"])
async def test_providers_are_never_spoken_to_over_http2(
    proxied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a connection is a stop that every server understands at once; httpx sends no RST_STREAM."""
    tls = write_tls(tmp_path)
    context = tls.server
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    async def answer(stream: trio.SSLStream[trio.SocketStream]) -> None:
        await stream.do_handshake()
        chosen.append(stream.selected_alpn_protocol())
        await stream.receive_some(65536)
        await stream.send_all(ANSWER)

    async def tunnel(stream: trio.SocketStream) -> None:
        """A proxy that takes every CONNECT to the one provider that there is."""
        assert bytes(await stream.receive_some(65536)).startswith(b"CONNECT localhost:")
        await stream.send_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        await answer(trio.SSLStream(stream, context, server_side=True, https_compatible=True))

    monkeypatch.setenv("SSL_CERT_FILE", str(tls.cafile))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_ssl_over_tcp, answer, 0, context, https_compatible=True, host="127.0.0.1")
            listeners = await nursery.start(partial(trio.serve_tcp, tunnel, 0, host="127.0.0.1") if proxied else serve)
            below = listeners[0] if proxied else listeners[0].transport_listener
            port = below.socket.getsockname()[1]
            if proxied:
                monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            async with Http() as http:
                assert (await http.fetch("GET", f"https://localhost:{port}/", headers={})).body == b"hi"
            nursery.cancel_scope.cancel()
    assert chosen == ["http/1.1"]
