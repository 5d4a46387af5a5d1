"""What a proxy of the environment means for the ways out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
from fakes.provider import Conversation, Provider

from piproxy.chat import Chat, Image, UserMessage
from piproxy.errors import ConfigError, InvalidRequest, UpstreamUnreachable
from piproxy.server import lifecycle
from piproxy.upstream.connections import Origin
from piproxy.upstream.http import Http
from piproxy.upstream.images import Guard, Images, behind_proxy

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 24
PUBLIC = "93.184.216.34"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any proxy."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("value", ["socks://127.0.0.1:9", "ftp://127.0.0.1:9", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_ends_the_start(value: str, environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a sentence that says what to change, and without the proxy's address, which may hold a password."""
    environ.setenv("ALL_PROXY", value)
    with pytest.raises(ConfigError, match="HTTP_PROXY, HTTPS_PROXY or ALL_PROXY") as caught:
        lifecycle.serve({"port": 0, "demo": True}, {"PI_CODING_AGENT_DIR": str(tmp_path)})
    assert "127.0.0.1" not in caught.value.message


async def test_a_proxy_that_cannot_be_used_does_no_harm_where_none_is_used(environ: pytest.MonkeyPatch) -> None:
    """Connections of a caller's own ask no proxy."""
    environ.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    async with Http(dial=trio.open_tcp_stream):
        pass


@pytest.mark.parametrize(
    ("setting", "url", "answer"),
    [
        ({}, "https://images.test/a", False),
        ({"https_proxy": "http://proxy.test:1"}, "https://images.test/a", True),
        ({"HTTPS_PROXY": "http://proxy.test:1"}, "https://images.test/a", True),
        ({"HTTPS_PROXY": "http://proxy.test:1"}, "http://images.test/a", False),
        ({"HTTP_PROXY": "http://proxy.test:1"}, "http://images.test/a", True),
        ({"ALL_PROXY": "socks5://proxy.test:1"}, "http://images.test/a", True),
        ({"ALL_PROXY": "http://proxy.test:1", "NO_PROXY": "other.test"}, "https://images.test/a", True),
        ({"ALL_PROXY": "http://proxy.test:1", "NO_PROXY": "other.test,images.test"}, "https://images.test/a", False),
        ({"ALL_PROXY": "http://proxy.test:1", "NO_PROXY": ".test"}, "https://images.test:8443/a", False),
        ({"ALL_PROXY": "http://proxy.test:1", "NO_PROXY": "*"}, "https://images.test/a", False),
        ({"NO_PROXY": "*"}, "https://images.test/a", False),
    ],
)
def test_which_addresses_are_behind_a_proxy(
    setting: dict[str, str], url: str, answer: bool, environ: pytest.MonkeyPatch
) -> None:
    """By scheme, with the exceptions of NO_PROXY."""
    for name, value in setting.items():
        environ.setenv(name, value)
    assert behind_proxy(url) is answer


async def test_images_are_never_asked_of_a_proxy(environ: pytest.MonkeyPatch) -> None:
    """An address behind a proxy is refused, at first and after a redirect; exceptions meet the guard as ever."""
    environ.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    environ.setenv("NO_PROXY", "exempt.test,inside.test")
    dialled: list[tuple[str, int]] = []

    async def script(talk: Conversation) -> None:
        if talk.asked.target == "/away":
            await talk.head(302, "text/html", location="https://images.test/a")
        else:
            await talk.head(content_type="image/png")
            await talk.data(PNG)
        await talk.end()

    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, script)

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["10.0.0.1" if host == "inside.test" else PUBLIC]

        async def dial(host: str, port: int) -> trio.abc.Stream:
            dialled.append((host, port))
            return await provider.connect(Origin("http", host, port))

        async with Images(Guard(resolve=resolve, dial=dial)) as images:

            async def get(url: str) -> None:
                await images.inlined(Chat(model="m", messages=(UserMessage((Image(url),)),)))

            await get("http://images.test/a")
            for url in ("https://images.test/a", "http://exempt.test/away"):
                with pytest.raises(InvalidRequest, match="only through a proxy"):
                    await get(url)
            with pytest.raises(InvalidRequest, match="public server"):
                await get("https://inside.test/a")
        nursery.cancel_scope.cancel()
    assert dialled == [(PUBLIC, 80), (PUBLIC, 80)]


async def test_nonsense_through_a_proxy_is_not_repeated(environ: pytest.MonkeyPatch) -> None:
    """What is no HTTP may hold anything; the error says only that."""

    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(b"somebody's words\r\n\r\n")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, babble, 0, host="127.0.0.1"))
            environ.setenv("HTTP_PROXY", f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
            async with Http() as http:
                with pytest.raises(UpstreamUnreachable, match=r"^provider\.test did not answer: ") as caught:
                    await http.fetch("GET", "http://provider.test/", headers={})
            nursery.cancel_scope.cancel()
    assert "words" not in caught.value.message
