"""Connections of our own, byte by byte: heads, bodies, reuse, age, early answers, TLS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trustme
from fakes.line import Lines, Peer, Script
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.errors import GatewayError, UpstreamBroken, UpstreamUnreachable
from piproxy.upstream.connections import KEEPALIVE, MAX_HEAD, MAX_IDLE, Connection, Origin, Pool, connector

HOST = Origin("http", "provider.test", 80)
OTHER = Origin("http", "other.test", 8080)
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"


@asynccontextmanager
async def pool_with(script: Script) -> AsyncIterator[tuple[Pool, Lines]]:
    """A pool on scripted lines; afterwards all are closed and no task is left."""
    async with trio.open_nursery() as nursery:
        lines = Lines(nursery, script)
        pool = Pool(lines.connect)
        yield pool, lines
        await pool.aclose()
        await wait_all_tasks_blocked()
        assert lines.open == 0
        assert len(nursery.child_tasks) == 0


def saying(*answers: bytes, end: bool = False) -> Script:
    """One answer per request, and perhaps the end of the connection after the last."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            if await peer.request() is None:
                return
            await peer.say(answer)
        if end:
            peer.end()

    return script


async def ask(
    pool: Pool, method: bytes = b"POST", *, body: bytes = b"{}", origin: Origin = HOST
) -> tuple[Connection, int]:
    connection = await pool.get(origin)
    headers = [(b"host", b"provider.test"), (b"content-length", b"%d" % len(body))]
    try:
        return connection, (await connection.ask(method, b"/v1", headers, body)).status
    except BaseException:
        await connection.aclose()
        raise


async def give_back(pool: Pool, connection: Connection) -> None:
    if not pool.take_back(connection):
        await connection.aclose()


async def whole(connection: Connection) -> bytes:
    body = b""
    while data := await connection.read():
        body += data
    return body


async def exchange(pool: Pool, method: bytes = b"POST", *, origin: Origin = HOST) -> tuple[int, bytes]:
    connection, status = await ask(pool, method, origin=origin)
    try:
        return status, await whole(connection)
    finally:
        await give_back(pool, connection)


CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, bytes, int, bytes, bool]] = {
    # name: method, what the provider says, status, body, is the connection used again
    "length": (b"POST", HELLO, 200, b"hello", True),
    "chunks": (b"POST", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
    "chunks with trailers": (b"POST", CHUNKED + b"5;a=b\r\nhello\r\n0\r\nx-a: b\r\n\r\n", 200, b"hello", True),
    "nothing": (b"POST", OK + b"content-length: 0\r\n\r\n", 200, b"", True),
    "HEAD": (b"HEAD", OK + b"content-length: 99\r\n\r\n", 200, b"", True),
    "HEAD of chunks": (b"HEAD", CHUNKED, 200, b"", True),
    "204": (b"POST", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "204 with a lie": (b"POST", b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, b"", True),
    "304": (b"GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n", 304, b"", True),
    "100": (b"POST", b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, 200, b"hello", True),
    "103, 102, 100": (
        b"POST",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        + HELLO,
        200,
        b"hello",
        True,
    ),
    "no reason phrase": (b"POST", b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", True),
    "an unknown status": (b"POST", b"HTTP/1.1 799 Odd\r\ncontent-length: 2\r\n\r\nhi", 799, b"hi", True),
    "bare line feeds": (b"POST", b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi", 200, b"hi", True),
    "close": (b"POST", OK + b"connection: Close\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello", False),
    "keep-alive, close": (b"POST", OK + b"connection: x, close\r\ncontent-length: 1\r\n\r\nh", 200, b"h", False),
    "HTTP/1.0": (b"POST", b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello", False),
    "longer than it says": (b"POST", HELLO + b" and more", 200, b"hello", False),
    "chunks and more": (b"POST", CHUNKED + b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", 200, b"hello", False),
    "two framings": (
        b"POST",
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
        b"hello",
        False,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers(name: str, autojump_clock: MockClock) -> None:
    """Status and body are what was said, byte by byte too, and a connection is kept only if both sides can go on."""
    method, wire, status, body, again = ANSWERS[name]
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):

        async def script(peer: Peer, pieces: list[bytes] = pieces) -> None:
            while await peer.request() is not None:
                await peer.say(*pieces)

        async with pool_with(script) as (pool, lines):
            for _ in range(2):
                assert await exchange(pool, method) == (status, body)
                await wait_all_tasks_blocked()
            assert len(lines.peers) == (1 if again else 2)
            if again or pieces == [wire]:
                await wait_all_tasks_blocked()
                assert lines.open == (1 if again else 0)


async def test_a_body_without_a_length_ends_with_the_connection(autojump_clock: MockClock) -> None:
    """And a connection that has ended is never used again."""
    async with pool_with(saying(OK + b"\r\nhello", end=True)) as (pool, lines):
        for _ in range(3):
            assert await exchange(pool) == (200, b"hello")
        assert (len(lines.peers), lines.open) == (3, 0)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (OK + b"content-length: 9\r\n\r\nhello", "4 bytes still to come"),
        (CHUNKED + b"5\r\nhello\r\n", "in the middle of its chunks"),
        (CHUNKED + b"9\r\nhello", "in the middle of its chunks"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "in the middle of its chunks"),
        (CHUNKED + b"5\r\nhello, longer\r\n", "longer than it says"),
        (CHUNKED + b"5\r\nhello\r\nwhat\r\n", "without a size"),
    ],
)
async def test_a_body_that_lies_is_broken(wire: bytes, words: str, autojump_clock: MockClock) -> None:
    """What was said before the lie is given, then an error; the connection is closed."""
    async with pool_with(saying(wire, end=True)) as (pool, lines):
        connection, status = await ask(pool)
        assert (status, await connection.read()) == (200, b"hello")
        with pytest.raises(UpstreamBroken, match=words):
            await connection.read()
        await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_a_reset_in_the_body(autojump_clock: MockClock) -> None:
    """The operating system's words, and nothing is kept."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(CHUNKED + b"5\r\nhello\r\n")
        peer.reset()

    async with pool_with(script) as (pool, lines):
        connection, _ = await ask(pool)
        assert await connection.read() == b"hello"
        with pytest.raises(UpstreamBroken, match="broke off: Connection reset by peer"):
            await connection.read()
        await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == 0


GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "a word": b"hello\r\n\r\n",
    "binary": bytes(range(256)),
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of words": b"HTTP/1.1 OK\r\n\r\n",
    "HTTP/9": b"HTTP/9 200 OK\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "half a status line": b"HTTP/1.1 20",
    "half a head": OK + b"content-type: text/ev",
    "only a promise": b"HTTP/1.1 100 Continue\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length of words": OK + b"content-length: five\r\n\r\nhello",
    "a negative length": OK + b"content-length: -5\r\n\r\nhello",
    "an unknown coding": OK + b"transfer-encoding: gzip\r\n\r\nhello",
    "a header without a colon": OK + b"nonsense\r\n\r\n",
    "a long header without a colon": OK + b"secret" * 10_000 + b"\r\n\r\n",
    "a header with a space": OK + b"a b: c\r\n\r\n",
    "a huge head": OK + b"x-a: " + b"a" * (MAX_HEAD + 1),
    "many headers": OK + b"".join(b"x-%d: a\r\n" % i for i in range(MAX_HEAD // 8)),
    "endless line": b"H" * (MAX_HEAD + 1),
}


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
async def test_what_is_not_http_is_no_answer(name: str, reset: bool, autojump_clock: MockClock) -> None:
    """One error that names the host and stays short; the connection is closed, and the next request works."""
    first = True

    async def script(peer: Peer) -> None:
        nonlocal first
        await peer.request()
        if not first:
            await peer.say(HELLO)
            return
        first = False
        await peer.say(GARBAGE[name])
        peer.reset() if reset else peer.end()

    async with pool_with(script) as (pool, lines):
        with pytest.raises(UpstreamUnreachable, match=r"^provider\.test:80 did not answer: ") as caught:
            await ask(pool)
        assert len(caught.value.message) < 130
        await wait_all_tasks_blocked()
        assert lines.open == 0
        assert await exchange(pool) == (200, b"hello")


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer secret\r\nx-evil: 1"),
        (b"x-key", b"secret\n"),
        (b"x-key", b"secret\0"),
        (b"a b", b"secret"),
    ],
)
async def test_a_header_that_would_inject_is_refused(header: tuple[bytes, bytes], autojump_clock: MockClock) -> None:
    """Nothing is sent, and neither the error nor its causes hold the value."""
    async with pool_with(saying(HELLO)) as (pool, lines):
        connection = await pool.get(HOST)
        with pytest.raises(GatewayError, match="a header that HTTP does not allow") as caught:
            await connection.ask(b"POST", b"/", [(b"host", b"h"), header], b"{}")
        assert lines.peers[0].up.total == 0
        await connection.aclose()
        error: BaseException | None = caught.value
        assert "secret" not in str(error)
        assert error is not None
        assert error.__suppress_context__
        assert error.__cause__ is None


# Reuse


async def test_connections_are_used_again_newest_first(autojump_clock: MockClock) -> None:
    """Three at once need three; one after the other needs one, and origins do not mix."""
    async with pool_with(saying(*[HELLO] * 9)) as (pool, lines):
        three = [(await ask(pool))[0] for _ in range(3)]
        for connection in three:
            await whole(connection)
            await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == 3
        assert await pool.get(HOST) is three[-1]
        await give_back(pool, three[-1])
        await exchange(pool, origin=OTHER)
        assert [peer.origin for peer in lines.peers] == [HOST] * 3 + [OTHER]


@pytest.mark.parametrize("how", ["end", "reset", "unasked"])
async def test_a_connection_that_the_provider_closed_is_not_used(how: str, autojump_clock: MockClock) -> None:
    """Closed, reset, or with bytes that nobody asked for: a new one is opened, and no request is lost."""
    async with pool_with(saying(*[HELLO] * 9)) as (pool, lines):
        await exchange(pool)
        if how == "unasked":
            await lines.peers[0].say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        else:
            getattr(lines.peers[0], how)()
        assert await exchange(pool) == (200, b"hello")
        assert [peer.closed for peer in lines.peers] == [True, False]


async def test_idle_connections_grow_old(autojump_clock: MockClock) -> None:
    """After the keep-alive time they are closed at the next request to anybody."""
    async with pool_with(saying(*[HELLO] * 9)) as (pool, lines):
        await exchange(pool)
        await trio.sleep(KEEPALIVE - 1)
        await exchange(pool)
        assert len(lines.peers) == 1
        await trio.sleep(KEEPALIVE)
        await exchange(pool, origin=OTHER)
        assert [peer.closed for peer in lines.peers] == [True, False]


async def test_old_connections_are_closed_while_others_come(autojump_clock: MockClock) -> None:
    """Closing lets other tasks run; a pool that changes meanwhile is no trouble, and none is closed twice or used."""
    origins = [Origin("http", f"host-{number}", 80) for number in range(20)]
    async with pool_with(saying(*[HELLO] * 9)) as (pool, lines):
        for origin in origins[:10]:
            await exchange(pool, origin=origin)
        await trio.sleep(KEEPALIVE)
        async with trio.open_nursery() as nursery:
            for origin in [*origins[10:], *origins]:
                nursery.start_soon(partial(exchange, pool, origin=origin))
        assert [peer.closed for peer in lines.peers[:10]] == [True] * 10
        await wait_all_tasks_blocked()
        assert lines.open == len(lines.peers) - 10


async def test_a_cancelled_request_still_closes_the_old(autojump_clock: MockClock) -> None:
    """Whoever finds old connections and is cancelled in that moment loses none of them."""
    async with pool_with(saying(*[HELLO] * 9)) as (pool, lines):
        for number in range(5):
            await exchange(pool, origin=Origin("http", f"host-{number}", 80))
        await trio.sleep(KEEPALIVE)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.get(HOST)
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_the_pool_keeps_so_many_and_no_more(autojump_clock: MockClock) -> None:
    """A burst does not leave its connections behind."""
    async with pool_with(saying(HELLO)) as (pool, lines):
        many = [(await ask(pool))[0] for _ in range(MAX_IDLE + 5)]
        for connection in many:
            await whole(connection)
            await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == MAX_IDLE


async def test_an_unread_answer_is_not_kept(autojump_clock: MockClock) -> None:
    """Half a body in the pipe would be the next request's answer."""
    async with pool_with(saying(HELLO, HELLO)) as (pool, lines):
        connection, _ = await ask(pool)
        await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == 0


# Early answers


BIG = b"x" * 1_000_000
REFUSAL = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 7\r\n\r\ntoo big"


def early(answer: bytes, then: Callable[[Peer], None]) -> Script:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.up.receive(10_000)
        await peer.say(answer)
        then(peer)

    return script


@pytest.mark.parametrize("then", [Peer.end, Peer.reset, lambda _: None], ids=["end", "reset", "stays"])
async def test_a_refusal_in_mid_upload_is_heard(then: Callable[[Peer], None], autojump_clock: MockClock) -> None:
    """The provider reads no further; its status and words come at once, and no time passes."""
    async with pool_with(early(REFUSAL, then)) as (pool, lines):
        start = trio.current_time()
        connection, status = await ask(pool, body=BIG)
        assert (status, await whole(connection)) == (413, b"too big")
        await give_back(pool, connection)
        assert (lines.open, trio.current_time()) == (0, start)


async def test_a_refusal_in_mid_upload_that_breaks_off_is_still_one(autojump_clock: MockClock) -> None:
    """Its status counts; of its words, what came."""
    async with pool_with(early(REFUSAL[:-3], Peer.reset)) as (pool, _):
        connection, status = await ask(pool, body=BIG)
        assert (status, await whole(connection)) == (413, b"too ")
        await give_back(pool, connection)


async def test_a_connection_that_breaks_in_mid_upload(autojump_clock: MockClock) -> None:
    """Without an answer it is no answer."""
    async with pool_with(early(b"", Peer.reset)) as (pool, lines):
        with pytest.raises(
            UpstreamUnreachable, match=r"^provider\.test:80 did not answer: Connection reset by peer\.$"
        ):
            await ask(pool, body=BIG)
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_an_answer_that_begins_in_mid_upload_waits_for_its_end(autojump_clock: MockClock) -> None:
    """Who says 200 early still gets the whole request, and the connection goes on."""
    got = 0

    async def script(peer: Peer) -> None:
        nonlocal got
        for _ in range(2):
            await peer.head()
            await peer.say(CHUNKED)
            got = 0
            while got < len(BIG):
                await trio.sleep(1)
                got += len(await peer.up.receive(len(BIG) - got))
            await peer.say(b"5\r\nhello\r\n0\r\n\r\n")

    async with pool_with(script) as (pool, lines):
        for _ in range(2):
            connection, status = await ask(pool, body=BIG)
            assert (status, await whole(connection), got) == (200, b"hello", len(BIG))
            await give_back(pool, connection)
        assert len(lines.peers) == 1


async def test_a_small_request_is_answered_by_a_provider_that_closed(autojump_clock: MockClock) -> None:
    """The answer was on its way before the connection broke: it counts."""

    async def script(peer: Peer) -> None:
        await peer.say(REFUSAL)
        peer.up.end()

    async with pool_with(script) as (pool, lines):
        connection = await pool.get(HOST)
        await wait_all_tasks_blocked()
        head = await connection.ask(b"POST", b"/", [(b"host", b"h")], b"{}")
        assert (head.status, await whole(connection)) == (413, b"too big")
        await give_back(pool, connection)
        await wait_all_tasks_blocked()
        assert lines.open == 0


@pytest.mark.parametrize("body", [b"{}", BIG], ids=["small", "big"])
async def test_leaving_in_every_phase_closes_at_once(body: bytes, autojump_clock: MockClock) -> None:
    """While sending, before the head, in the middle of it, before the body and in it."""
    for said in (b"", OK, CHUNKED, CHUNKED + b"5\r\nhel"):
        for reads in (True, False):

            async def script(peer: Peer, said: bytes = said, reads: bool = reads) -> None:
                await (peer.request() if reads else peer.head())
                await peer.say(said)

            async with pool_with(script) as (pool, lines):
                with trio.move_on_after(5):
                    connection, _ = await ask(pool, body=body)
                    try:
                        await whole(connection)
                    finally:
                        with trio.CancelScope(shield=True):
                            await give_back(pool, connection)
                await wait_all_tasks_blocked()
                assert lines.open == 0
                assert lines.peers[0].closed_at == trio.current_time()


# Real connections


async def test_a_refused_connection_is_said_plainly() -> None:
    """Host, port and the system's own words."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    connect = connector(ssl.create_default_context)
    with pytest.raises(UpstreamUnreachable, match=rf"^Could not connect to 127\.0\.0\.1:{port}: Connection refused\.$"):
        await connect(Origin("http", "127.0.0.1", port))


async def test_an_unknown_name_is_said_plainly() -> None:
    """The resolver's own words."""
    connect = connector(ssl.create_default_context)
    with pytest.raises(UpstreamUnreachable, match=r"^Could not connect to nobody\.invalid:443: .*[a-z]"):
        await connect(Origin("https", "nobody.invalid", 443))


def test_ipv6_addresses_are_written_in_brackets() -> None:
    """As they stand in a URL."""
    assert Origin("http", "::1", 80).netloc == "[::1]:80"
    assert Origin("http", "localhost", 80).netloc == "localhost:80"


@asynccontextmanager
async def tls_server(*names: str) -> AsyncIterator[tuple[int, trustme.CA, list[str | None]]]:
    """A TLS provider on loopback that says hello; the names that clients asked for."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            for _ in range(2):
                data = b""
                while not data.endswith(b"{}"):
                    data += bytes(await stream.receive_some(65536))
                await stream.send_all(HELLO)
        except trio.BrokenResourceError:
            return
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_ssl_over_tcp, serve, 0, context)
        yield listeners[0].transport_listener.socket.getsockname()[1], ca, asked
        nursery.cancel_scope.cancel()


def trusting(ca: trustme.CA | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        ca.configure_trust(context)
    return context


async def test_tls_names_the_host_and_is_used_again() -> None:
    """SNI carries the host's name; the second request needs no second handshake."""
    with trio.fail_after(10):
        async with tls_server("localhost") as (port, ca, asked):
            pool = Pool(connector(lambda: trusting(ca)))
            for _ in range(2):
                assert await exchange(pool, origin=Origin("https", "localhost", port)) == (200, b"hello")
            assert asked == ["localhost"]
            await pool.aclose()


@pytest.mark.parametrize(
    ("host", "trusted", "words"),
    [
        ("localhost", False, "its certificate is not accepted (unable to get local issuer certificate)"),
        ("127.0.0.1", True, "its certificate is not accepted (IP address mismatch"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_said_plainly(host: str, trusted: bool, words: str) -> None:
    """What is wrong with it, in OpenSSL's own words."""
    with trio.fail_after(10):
        async with tls_server("localhost") as (port, ca, _):
            connect = connector(lambda: trusting(ca if trusted else None))
            with pytest.raises(UpstreamUnreachable) as caught:
                await connect(Origin("https", host, port))
            assert caught.value.message.startswith(f"Could not connect to {host}:{port}: {words}")


async def test_plain_http_where_tls_was_expected() -> None:
    """A wrong scheme in the base URL is an error in words, and no socket is left."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, serve, 0)
            port = listeners[0].socket.getsockname()[1]
            connect = connector(lambda: trusting(None))
            with pytest.raises(UpstreamUnreachable, match=rf"Could not connect to localhost:{port}: .*SSL"):
                await connect(Origin("https", "localhost", port))
            nursery.cancel_scope.cancel()


async def test_a_handshake_that_stalls_can_be_left() -> None:
    """The socket is closed when the wait ends."""
    gone = trio.Event()
    waiting = trio.CancelScope()

    async def serve(stream: trio.SocketStream) -> None:
        try:
            while await stream.receive_some(1000):
                waiting.cancel()
        except trio.BrokenResourceError:
            pass
        gone.set()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, serve, 0)
            connect = connector(lambda: trusting(None))
            with waiting:
                await connect(Origin("https", "localhost", listeners[0].socket.getsockname()[1]))
            assert waiting.cancelled_caught
            await gone.wait()
            nursery.cancel_scope.cancel()
