"""Where the server listens: several addresses, unix sockets, what stands in the way."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import trio
from fakes.gateway import gateway
from fakes.provider import Conversation
from fakes.served import served

from piproxy.errors import ConfigError
from piproxy.server.listening import listening, shown
from piproxy.settings import Settings
from piproxy.settings.addresses import Address, is_loopback, read_address

HEALTH = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def nobody(stream: trio.SocketStream) -> None:
    raise AssertionError


async def answer(stream: trio.abc.Stream) -> bytes:
    await stream.send_all(HEALTH)
    data = b""
    while more := await stream.receive_some(1000):
        data += more
    await stream.aclose()
    return data


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4141", Address("127.0.0.1", 4141)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:80", Address("::1", 80)),
        (" a.b:1 ", Address("a.b", 1)),
        ("::1:80", None),
        ("4141", None),
        (":4141", None),
        ("host:", None),
        ("host:65536", None),
        ("host:-1", None),
        ("host:http", None),
    ],
)
def test_addresses(text: str, address: Address | None) -> None:
    """A name or IP address, a colon, a port; IPv6 in brackets."""
    assert read_address(text) == address
    if address is not None:
        assert str(address) == text.strip()


@pytest.mark.parametrize(
    ("settings", "addresses"),
    [
        (Settings(), [("127.0.0.1", 4141)]),
        (Settings(unix="/s"), []),
        (Settings(bind=("a:1", "[::1]:2"), port=9), [("a", 1), ("::1", 2)]),
        (Settings(bind=("a:1",), unix="/s"), [("a", 1)]),
    ],
)
def test_which_addresses_count(settings: Settings, addresses: list[tuple[str, int]]) -> None:
    """Binds win over host and port, and a unix socket alone does, too."""
    assert list(settings.addresses) == addresses


async def test_every_address_is_served(tmp_path: Path) -> None:
    """Two ports and a unix socket, one server; the socket is its user's alone, and its file goes in the end."""
    path = tmp_path / "s.sock"
    with trio.fail_after(60):
        async with served(tmp_path, nobody, bind=("127.0.0.1:0", "127.0.0.1:0"), unix=str(path)) as s:
            first, second, unix = s.where
            assert unix == f"http+unix:{path}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            for where in (first, second):
                port = int(where.rpartition(":")[2])
                assert b'{"status":"ok"}' in await answer(await trio.open_tcp_stream("127.0.0.1", port))
            assert b'{"status":"ok"}' in await answer(await trio.open_unix_socket(str(path)))
    assert not path.exists()


async def test_a_name_with_two_addresses_has_one_port() -> None:
    """``localhost`` is IPv4 and IPv6 where both exist; a free port is free on both."""
    with listening(Settings(host="localhost", port=0)) as sockets:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1


def test_the_file_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    """Nobody listens there: it is a leftover."""
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening(Settings(unix=str(path))) as sockets:
        assert shown(sockets[0], False) == f"http+unix:{path}"
        assert shown(sockets[0], True) == f"https+unix:{path}"
    assert not path.exists()


def test_a_living_server_and_a_file_are_left_alone(tmp_path: Path) -> None:
    """The start is refused, with the next step."""
    path = tmp_path / "s.sock"
    with (
        listening(Settings(unix=str(path))),
        pytest.raises(ConfigError, match=r"s\.sock is already in use.*--unix"),
        listening(Settings(unix=str(path))),
    ):
        raise AssertionError
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is not a socket"), listening(Settings(unix=str(path))):
        raise AssertionError
    assert path.read_text() == "mine"


def test_a_socket_file_that_another_server_has_made_since_stays(tmp_path: Path) -> None:
    """Only our own file is removed."""
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as other:
        with listening(Settings(unix=str(path))):
            path.rename(tmp_path / "old")
            other.bind(str(path))
        assert path.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(host="no.such.host.invalid"), "Cannot listen on no.such.host.invalid:4141"),
        (Settings(bind=("192.0.2.1:0",)), "Cannot listen on 192.0.2.1:0"),
        (Settings(unix="/nowhere/s.sock"), "Cannot listen on /nowhere/s.sock"),
    ],
)
def test_addresses_of_others_are_refused_plainly(settings: Settings, words: str) -> None:
    """One sentence, and nothing stays open."""
    with pytest.raises(ConfigError, match=words), listening(settings):
        raise AssertionError


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({"bind": ("127.0.0.1:1", "[::1]:1")}, 403),
        ({"bind": ("127.0.0.1:1", "0.0.0.0:1")}, 200),
        ({"unix": "/s"}, 403),
        ({"host": "0.0.0.0"}, 200),
    ],
)
async def test_the_loopback_rule_looks_at_every_address(
    flags: dict[str, object], status: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Foreign hosts are refused when nobody but this machine can connect, and only then."""

    async def asleep(talk: Conversation) -> None:
        raise AssertionError

    async with gateway(tmp_path, asleep, flags=flags) as g:  # type: ignore[arg-type]
        client = g.client()
        assert (await client.ask("GET", "/v1/models", host="proxy.example")).status == status
        await client.leave()


def test_loopback_names() -> None:
    """As in RFC 6761."""
    assert [is_loopback(host) for host in ("localhost", "127.8.8.8", "::1", "0.0.0.0")] == [True, True, True, False]
