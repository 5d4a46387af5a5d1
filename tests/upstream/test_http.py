"""The one door to httpx: what goes out, what comes in, what is left behind."""

from __future__ import annotations

import gc
import gzip
import types
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from fakes.line import Lines, Peer, Script
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy import __version__
from piproxy.errors import GatewayError, UpstreamBroken, UpstreamUnreachable
from piproxy.upstream import http as http_module
from piproxy.upstream.http import MAX_ERROR_BODY, MAX_PIECE, Http, read_all

URL = "http://provider.test/v1/chat"
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
TEXT = "Grüße aus Köln. ".encode() * 100


@asynccontextmanager
async def http_with(script: Script) -> AsyncIterator[tuple[Http, Lines]]:
    """The client on scripted lines; afterwards there is no line, no task, no generator."""
    before = generators()
    async with trio.open_nursery() as nursery:
        lines = Lines(nursery, script)
        async with Http(connect=lines.connect) as http:
            yield http, lines
        await wait_all_tasks_blocked()
        assert (lines.open, len(nursery.child_tasks), generators() - before) == (0, 0, set())


def generators() -> set[int]:
    """The asynchronous generators that have begun and not ended, but for those of tests' own context managers."""
    return {
        id(found)
        for found in gc.get_objects()
        if isinstance(found, types.AsyncGeneratorType)
        and found.ag_frame is not None
        and found.ag_code.co_filename != __file__
        and "httpx" in found.ag_code.co_filename + found.ag_code.co_name
    }


def saying(*pieces: bytes, end: bool = False) -> Script:
    async def script(peer: Peer) -> None:
        while await peer.request() is not None:
            await peer.say(*pieces)
            if end:
                peer.end()

    return script


async def get(http: Http, url: str = URL, **headers: str) -> bytes:
    return (await http.fetch("POST", url, headers=headers, body=b"{}")).body


async def test_headers_go_out_as_they_are(autojump_clock: MockClock) -> None:
    """Ours first, the request's own win; the body is sent with its length."""
    async with http_with(saying(HELLO)) as (http, lines):
        await get(http, **{"X-Odd-Case": "1", "User-Agent": "pi"})
        lines_sent = lines.peers[0].heads[0].decode().split("\r\n")
        assert lines_sent[0] == "POST /v1/chat HTTP/1.1"
        sent = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines_sent[1:] if line}
        assert sent["host"] == "provider.test"
        assert sent["content-length"] == "2"
        assert sent["accept-encoding"] == "identity"
        assert sent["user-agent"] == "pi"
        assert sent["x-odd-case"] == "1"
        await get(http)
        assert f"piproxy/{__version__}" in lines.peers[0].heads[1].decode()


async def test_headers_come_in_with_small_names(autojump_clock: MockClock) -> None:
    """And several of one name are joined."""
    async with http_with(saying(OK + b"X-Request-ID: Up\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n")) as (
        http,
        _,
    ):
        fetched = await http.fetch("GET", URL, headers={})
        assert (fetched.status, fetched.headers["x-request-id"], fetched.headers["x-a"]) == (200, "Up", "1, 2")


@pytest.mark.parametrize(
    ("url", "netloc", "host"),
    [
        ("http://[::1]:8080/x", "[::1]:8080", "[::1]:8080"),
        ("http://provider.test:80/x", "provider.test:80", "provider.test"),
        ("http://user:secret@provider.test/x", "provider.test:80", "provider.test"),
        ("http://bücher.test/x", "xn--bcher-kva.test:80", "xn--bcher-kva.test"),
    ],
)
async def test_hosts(url: str, netloc: str, host: str, autojump_clock: MockClock) -> None:
    """IPv6 literals, ports, logins and names beyond ASCII end at the right place."""
    async with http_with(saying(HELLO)) as (http, lines):
        await get(http, url)
        peer = lines.peers[0]
        assert peer.origin.netloc == netloc
        assert f"\r\nhost: {host}\r\n" in peer.heads[0].decode().lower()


@pytest.mark.parametrize(
    "url", ["ftp://provider.test/x", "provider.test/x", "", "http://", "http://[::1", "http://a\tb/"]
)
async def test_a_base_url_that_is_none(url: str, autojump_clock: MockClock) -> None:
    """It is the configuration's fault, and is said so."""
    async with http_with(saying(HELLO)) as (http, lines):
        with pytest.raises(GatewayError, match=r"base URL is not a valid http\(s\) address") as caught:
            await get(http, url)
        assert (caught.value.status, lines.peers) == (502, [])


@pytest.mark.parametrize(
    "value", ["secret\r\nx-evil: 1", "secret\n", "secret\0", "sécret", "secret\u2028", "\ud800secret"]
)
async def test_a_header_that_http_does_not_allow(value: str, autojump_clock: MockClock) -> None:
    """Line ends, NUL and what is not ASCII: refused before a byte goes out, without the value."""
    async with http_with(saying(HELLO)) as (http, lines):
        with pytest.raises(GatewayError, match="a header that HTTP does not allow") as caught:
            await get(http, authorization=f"Bearer {value}")
        assert "cret" not in caught.value.message
        assert sum(peer.up.total for peer in lines.peers) == 0
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_a_redirect_is_not_followed(autojump_clock: MockClock) -> None:
    """Keys do not travel to addresses that nobody configured."""
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n"
    async with http_with(saying(moved)) as (http, lines):
        assert (await http.fetch("POST", URL, headers={})).status == 307
        assert len(lines.peers) == 1


async def test_whoever_waits_for_a_connection_is_told(autojump_clock: MockClock) -> None:
    """When one begins to be opened and when it stands; a connection that is used again is no news."""
    told: list[bool] = []
    async with http_with(saying(HELLO)) as (http, _):
        for _ in range(2):
            async with http.stream("POST", URL, headers={}, body=b"{}", connection=told.append) as answer:
                await read_all(answer)
        assert told == [False, True]


# Compressed answers, although nobody asked for them


def chunked(body: bytes, *, size: int = 50, coding: bytes = b"gzip") -> list[bytes]:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    head = OK + b"content-encoding: " + coding + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


@pytest.mark.parametrize("size", [1, 50, 100_000])
@pytest.mark.parametrize(("coding", "compress"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
async def test_compression_is_taken_off(
    size: int, coding: bytes, compress: Callable[[bytes], bytes], autojump_clock: MockClock
) -> None:
    """However it is cut; the connection goes on, and what follows the end is nobody's."""
    for tail in (b"", b"and more"):
        async with http_with(saying(*chunked(compress(TEXT) + tail, size=size, coding=coding))) as (http, lines):
            for _ in range(2):
                assert await get(http) == TEXT
            assert len(lines.peers) == 1


async def test_what_swells_is_given_piece_by_piece(autojump_clock: MockClock) -> None:
    """A small answer that is a large one does not come out at once, and others have their turns meanwhile."""
    bomb = gzip.compress(bytes(20 * MAX_PIECE))
    sizes: list[int] = []
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with (
        http_with(saying(*chunked(bomb, size=len(bomb)))) as (http, _),
        http.stream("POST", URL, headers={}, body=b"{}") as answer,
        trio.open_nursery() as beside,
    ):
        sizes.append(len(await answer.read()))
        beside.start_soon(count)
        while data := await answer.read():
            sizes.append(len(data))
        beside.cancel_scope.cancel()
    assert sum(sizes) == 20 * MAX_PIECE
    assert max(sizes) <= MAX_PIECE
    assert turns > 10


async def test_what_was_flushed_is_given_at_once(autojump_clock: MockClock) -> None:
    """Also when it is as large as a piece, or a little larger: nothing waits inside for what comes later."""
    for size in (MAX_PIECE - 1, MAX_PIECE, MAX_PIECE + 1, MAX_PIECE + 200):
        packer = zlib.compressobj(wbits=31)
        flushed = packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH)
        head, piece, _ = chunked(flushed, size=len(flushed))
        async with (
            http_with(saying(head, piece)) as (http, _),
            http.stream("POST", URL, headers={}, body=b"{}") as answer,
        ):
            found = 0
            with trio.fail_after(1):
                while found < size:
                    found += len(await answer.read())
            assert found == size


@pytest.mark.parametrize(
    ("coding", "words"), [(b"gzip", "could not be decompressed"), (b"br", "compressed in a way that nobody asked for")]
)
async def test_what_cannot_be_decompressed_is_broken(coding: bytes, words: str, autojump_clock: MockClock) -> None:
    """In words, without a generator left; an answer that has not ended takes its connection with it."""
    *unended, _ = chunked(b"no gzip at all", coding=coding)
    async with http_with(saying(*unended)) as (http, lines):
        with pytest.raises(UpstreamBroken, match=words):
            await get(http)
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_gzip_that_breaks_off_is_broken(autojump_clock: MockClock) -> None:
    """With the connection, or with a body that ends too soon."""
    for pieces in (chunked(gzip.compress(TEXT))[:-2], chunked(gzip.compress(TEXT)[:-9])):
        async with http_with(saying(*pieces, end=True)) as (http, _):
            with pytest.raises(UpstreamBroken, match="broke off"):
                await get(http)


# What is left behind


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("how", ["cancelled", "left", "failed", "unread"])
async def test_nothing_is_left_behind(gzipped: bool, how: str, autojump_clock: MockClock) -> None:
    """Cancelled while reading, left between two reads, failed, or never read: closed in that instant."""
    body = gzip.compress(TEXT, 0) if gzipped else TEXT
    pieces = chunked(body, size=900) if gzipped else chunked(body, size=900, coding=b"identity")
    async with http_with(saying(*pieces[:2])) as (http, lines):
        start = trio.current_time()
        with trio.CancelScope() as scope, pytest.MonkeyPatch.context():
            try:
                async with http.stream("POST", URL, headers={}, body=b"{}") as answer:
                    if how != "unread":
                        assert await answer.read()
                    if how == "failed":
                        raise ZeroDivisionError
                    if how == "cancelled":
                        scope.deadline = start + 5
                        while True:
                            await answer.read()
            except ZeroDivisionError:
                pass
        assert [peer.closed_at for peer in lines.peers] == [start + 5 if how == "cancelled" else start]
        await wait_all_tasks_blocked()
        assert lines.open == 0


@pytest.mark.parametrize("said", [b"", OK[:5], OK, OK + b"content-length: 5\r\n\r\n"])
async def test_leaving_before_the_body(said: bytes, autojump_clock: MockClock) -> None:
    """A request that waits for its head is closed when it is cancelled."""
    async with http_with(saying(said)) as (http, lines):
        with trio.move_on_after(3):
            await get(http)
        assert (lines.open, len(lines.peers)) == (0, 1)


async def test_error_bodies_are_read_up_to_a_limit(autojump_clock: MockClock) -> None:
    """A provider that never ends its error page does not fill the memory."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(b"HTTP/1.1 500 Oops\r\n\r\n")
        while True:
            await peer.say(b"x" * 10_000)

    async with http_with(script) as (http, lines):
        fetched = await http.fetch("POST", URL, headers={}, body=b"{}")
        assert (fetched.status, len(fetched.body)) == (500, MAX_ERROR_BODY)
        assert lines.peers[0].down.total < 2 * MAX_ERROR_BODY
        await wait_all_tasks_blocked()
        assert lines.open == 0


async def test_closing_the_client_closes_idle_connections_even_when_cancelled(autojump_clock: MockClock) -> None:
    """A shutdown leaves no socket."""
    async with trio.open_nursery() as nursery:
        lines = Lines(nursery, saying(HELLO))
        with trio.CancelScope() as scope:
            async with Http(connect=lines.connect) as http:
                for number in range(3):
                    await get(http, f"http://host-{number}/")
                await wait_all_tasks_blocked()
                assert lines.open == 3
                scope.cancel()
        await wait_all_tasks_blocked()
        assert lines.open == 0


# Proxies


@asynccontextmanager
async def proxy(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> AsyncIterator[list[bytes]]:
    """A proxy on loopback, set in the environment; what it was asked."""
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = bytes(await stream.receive_some(65536))
            if not more:
                return
            data += more
        asked.append(data)
        await stream.send_all(answer)
        while await stream.receive_some(65536):
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", address)
        monkeypatch.setenv("HTTPS_PROXY", address)
        yield asked
        nursery.cancel_scope.cancel()


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole address in the request line, as proxies want it; nothing of it is left behind."""
    with trio.fail_after(10):
        async with proxy(monkeypatch, HELLO) as asked:
            before = generators()
            async with Http() as http:
                assert await get(http) == b"hello"
            assert asked[0].startswith(b"POST http://provider.test/v1/chat HTTP/1.1\r\n")
            assert generators() == before


async def test_an_answer_through_a_proxy_can_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the body; no generator is left."""
    with trio.fail_after(10):
        async with proxy(monkeypatch, HELLO[:-2]) as asked:
            before = generators()
            async with Http() as http:
                with trio.CancelScope() as scope:
                    async with http.stream("POST", URL, headers={}, body=b"{}") as answer:
                        while await answer.read():
                            scope.deadline = trio.current_time() + 0.1
                assert scope.cancelled_caught
                assert generators() == before
            assert len(asked) == 1


async def test_a_proxy_that_refuses_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the provider's host and the proxy's words, and no more."""
    with trio.fail_after(10):
        async with proxy(monkeypatch, b"HTTP/1.1 403 Forbidden by policy\r\ncontent-length: 0\r\n\r\n"), Http() as http:
            with pytest.raises(
                UpstreamUnreachable, match=r"^provider\.test did not answer: 403 Forbidden by policy\.$"
            ):
                await get(http, "https://user:secret@provider.test/")


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused is refused."""
    with trio.fail_after(10):
        async with proxy(monkeypatch, HELLO):
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
            async with Http() as http:
                with pytest.raises(UpstreamUnreachable, match=r"^provider\.test did not answer: "):
                    await get(http)


def test_certificates_are_loaded_once() -> None:
    """It takes tens of milliseconds, so only when first needed."""
    trust = http_module._Trust()
    assert trust.context() is trust.context()
