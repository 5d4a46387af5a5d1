"""The guard around images that are fetched: each way around it that the field knows."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from fakes.provider import Conversation, Provider
from trio.testing import memory_stream_pair

from piproxy.chat import Chat, Image, Message, SystemMessage, Text, ToolMessage, UserMessage
from piproxy.errors import InvalidRequest
from piproxy.upstream import images as module
from piproxy.upstream.connections import Origin
from piproxy.upstream.images import Guard, Images

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 24
PUBLIC = "93.184.216.34"
Script = Callable[[Conversation], Awaitable[None]]


@dataclass
class World:
    """Names and what they resolve to, one list per question; every address that was connected to."""

    images: Images
    provider: Provider
    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    async def get(self, *urls: str) -> Chat:
        message = UserMessage(tuple(Image(url) for url in urls))
        return await self.images.inlined(Chat(model="m", messages=(message,)))

    async def refused(self, *urls: str) -> InvalidRequest:
        with pytest.raises(InvalidRequest) as caught:
            await self.get(*urls)
        assert caught.value.code == "invalid_image_url"
        return caught.value


async def png(talk: Conversation) -> None:
    await talk.head(content_type="image/png")
    await talk.data(PNG)
    await talk.end()


@asynccontextmanager
async def world(script: Script = png, **names: Sequence[str]) -> AsyncIterator[World]:
    """``names`` has ``_`` for ``.``; a name that is not there resolves to itself, as an address does."""
    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, script)
        asked = {name.replace("_", "."): [found] for name, found in names.items()}

        async def resolve(host: str, port: int) -> Sequence[str]:
            await trio.lowlevel.checkpoint()
            answers = made.names.get(host)
            if answers is None:
                return [host]
            return answers.pop(0) if len(answers) > 1 else answers[0]

        async def dial(host: str, port: int) -> trio.abc.Stream:
            made.dialled.append((host, port))
            return await provider.connect(Origin("http", host, port))

        async with Images(Guard(resolve=resolve, dial=dial), proxied=lambda url: False) as images:
            made = World(images, provider, asked)
            yield made
        nursery.cancel_scope.cancel()


def redirect(*locations: str, status: int = 302) -> Script:
    """Each request gets the next location; then there is an image."""
    left = list(locations)

    async def script(talk: Conversation) -> None:
        if left:
            await talk.head(status, "text/html", location=left.pop(0))
            await talk.end()
        else:
            await png(talk)

    return script


def answer(body: bytes = PNG, content_type: str = "image/png", status: int = 200, **headers: str) -> Script:
    async def script(talk: Conversation) -> None:
        await talk.head(status, content_type, **headers)
        await talk.data(body)
        await talk.end()

    return script


async def test_an_image_is_fetched_from_the_address_that_was_looked_at() -> None:
    """By name in ``Host``, by number in the connection, with nothing of the client's and no credentials."""
    async with world(images_test=[PUBLIC]) as w:
        chat = await w.get("http://images.test/a.png?b=1")
        content: Any = chat.messages[0].content
        assert content[0].media_type == "image/png"
        assert b64decode(content[0].data) == PNG
        assert w.dialled == [(PUBLIC, 80)]
        (asked,) = w.provider.asked
        assert (asked.method, asked.target, asked.headers["host"]) == ("GET", "/a.png?b=1", "images.test")
        assert not set(asked.headers) & {"authorization", "cookie", "x-api-key", "referer", "proxy-authorization"}


async def test_everything_else_in_the_chat_stays() -> None:
    """Texts, inline images, details and marks; an address that stands twice is fetched once."""
    inline = Image("data:image/png;base64,aGk=", "low")
    remote = Image("http://images.test/a", "high", {"type": "ephemeral"})
    messages: tuple[Message, ...] = (
        SystemMessage("s"),
        UserMessage((Text("t"), inline, remote), name="n"),
        ToolMessage((remote,), "call"),
    )
    async with world(images_test=[PUBLIC]) as w:
        chat = await w.images.inlined(Chat(model="m", messages=messages, seed=1))
        assert len(w.provider.asked) == 1
    first, second, third = chat.messages
    assert first == messages[0]
    assert isinstance(second, UserMessage)
    assert second.name == "n"
    assert second.content[:2] == (Text("t"), inline)
    shown: Any = second.content[2]
    assert (shown.remote, shown.detail, shown.cache_control) == (False, "high", {"type": "ephemeral"})
    assert third.content == (shown,)
    assert chat.seed == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://0.0.0.0/",
        "http://10.0.0.5/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[fd00:ec2::254]/",
        "http://user:secret@images.test/",
        "http://images.test@127.0.0.1/",
        "http://127.0.0.1#@images.test/",
        "http://127.0.0.1\\@images.test/",
        "http://images.test\\@127.0.0.1/",
        "http:///images.test",
        "http://",
        "http://images.test:99999/",
        "http://images.test /",
        "http://images.test\r\nx: y/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
        "http://127\u30020.0.1/",
        "http://%31%32%37.0.0.1/",
        "file:///etc/passwd",
        "gopher://images.test/",
    ],
)
async def test_spellings_of_what_must_not_be_asked(url: str) -> None:
    """Nothing is connected to, and the client is told which image it was."""
    async with world(images_test=[PUBLIC]) as w:
        error = await w.refused(url)
        assert error.param == "messages[0].content[0].image_url"
        assert "secret" not in error.message
        assert w.dialled == []


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        ["::1", PUBLIC],
        ["::ffff:10.0.0.1"],
        ["169.254.169.254"],
        ["fe80::1%eth0"],
        [],
    ],
)
async def test_a_name_with_an_address_inside_is_refused(found: Sequence[str]) -> None:
    """One that is not public among several is enough."""
    async with world(inside_test=found) as w:
        await w.refused("https://inside.test/x.png")
        assert w.dialled == []


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """DNS rebinding: the name is asked once, and the connection goes to the address that was looked at."""
    async with world() as w:
        w.names["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
        await w.get("http://rebind.test/a")
        assert w.dialled == [(PUBLIC, 80)]
        await w.images._http.__aexit__(None, None, None)
    async with world(redirect("http://rebind.test:81/b")) as w:
        w.names["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
        await w.refused("http://rebind.test/a")
        assert w.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "//127.0.0.1/",
        "http://inside.test/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://a:b@images.test/",
        "file:///etc/passwd",
        "data:image/png;base64,aGk=",
        "ftp://images.test/",
        "",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_looked_at_like_the_first_address(location: str, status: int) -> None:
    """Wherever it leads, the guard stands before it."""
    script = redirect(*[location] * 9, status=status)
    async with world(script, images_test=[PUBLIC], inside_test=["10.0.0.1"]) as w:
        await w.refused("http://images.test/a")
        assert {host for host, _ in w.dialled} == {PUBLIC}


async def test_some_redirects_are_followed() -> None:
    """Three, relative ones too; a fourth is too many."""
    async with world(redirect("/b", "http://cdn.test/c", "d"), images_test=[PUBLIC], cdn_test=["8.8.8.8"]) as w:
        await w.get("http://images.test/a")
        assert [asked.target for asked in w.provider.asked] == ["/a", "/b", "/c", "/d"]
    async with world(redirect("/b", "/c", "/d", "/e"), images_test=[PUBLIC]) as w:
        assert "more than 3 times" in (await w.refused("http://images.test/a")).message


async def test_cookies_are_not_kept() -> None:
    """What one server sets is not sent with the next request to it."""
    async with world(answer(set_cookie="session=1; Path=/"), images_test=[PUBLIC]) as w:
        await w.get("http://images.test/a")
        await w.get("http://images.test/b")
        assert [asked.headers.get("cookie") for asked in w.provider.asked] == [None, None]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (answer(b"<html>secret page</html>", "text/html"), "not an image"),
        (answer(b'{"secret": 1}', "image/png"), "not a PNG"),
        (answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "not a PNG"),
        (answer(b"", "image/png"), "not a PNG"),
        (answer(status=404), "status 404"),
        (answer(status=206), "status 206"),
        (answer(content_encoding="gzip"), "compressed"),
        (answer(PNG + b"\x00" * 2000), "larger than 1000 bytes"),
    ],
)
async def test_what_is_no_image_goes_nowhere(script: Script, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its bytes nor its text reach the model or the client."""
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    async with world(script, images_test=[PUBLIC]) as w:
        error = await w.refused("http://images.test/a")
        assert says in error.message
        assert "secret" not in error.message


async def test_a_length_that_is_too_large_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is enough to refuse."""
    monkeypatch.setattr(module, "MAX_BYTES", 1000)

    async def script(talk: Conversation) -> None:
        await talk.stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1001\r\n\r\n")
        await trio.sleep_forever()

    async with world(script, images_test=[PUBLIC]) as w:
        assert "larger than 1000" in (await w.refused("http://images.test/a")).message


async def test_an_endless_body_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted on the bytes that arrive, whatever was announced."""
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)

    async def script(talk: Conversation) -> None:
        await talk.head(content_type="image/png")
        await talk.data(PNG)
        while True:
            await talk.data(b"\x00" * 10_000)

    async with world(script, images_test=[PUBLIC]) as w:
        assert "larger than" in (await w.refused("http://images.test/a")).message


async def test_there_are_limits_over_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """On their number, and on their bytes together."""
    async with world(images_test=[PUBLIC]) as w:
        await w.refused(*(f"http://images.test/{number}" for number in range(21)))
        assert w.dialled == []
        monkeypatch.setattr(module, "MAX_TOTAL", len(PNG) + 10)
        error = await w.refused("http://images.test/a", "http://images.test/b")
        assert error.param == "messages[0].content[1].image_url"


@pytest.mark.parametrize(
    "body", [b"\xff\xd8\xff\xe0" + b"\x00" * 9, b"GIF89a" + b"\x00" * 9, b"RIFF\x10\x00\x00\x00WEBPVP8 "]
)
async def test_the_type_is_what_the_bytes_say(body: bytes) -> None:
    """Not what the server says."""
    async with world(answer(body, "application/octet-stream"), images_test=[PUBLIC]) as w:
        content: Any = (await w.get("http://images.test/a")).messages[0].content
        assert content[0].media_type in {"image/jpeg", "image/gif", "image/webp"}


async def test_the_certificate_is_checked_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to a number, and yet only the name's own certificate is accepted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, png)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("images.test").configure_cert(context)

        async def resolve(host: str, port: int) -> Sequence[str]:
            return [PUBLIC]

        async def dial(host: str, port: int) -> trio.abc.Stream:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(provider.serve, trio.SSLStream(theirs, context, server_side=True, https_compatible=True))
            return ours

        async with Images(Guard(resolve=resolve, dial=dial), proxied=lambda url: False) as images:
            for host, good in (("images.test", True), ("other.test", False)):
                chat = Chat(model="m", messages=(UserMessage((Image(f"https://{host}/a"),)),))
                if good:
                    await images.inlined(chat)
                else:
                    with pytest.raises(InvalidRequest, match="certificate"):
                        await images.inlined(chat)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
async def test_this_machine_is_refused_with_the_systems_own_resolver(host: str) -> None:
    """What the tests above script is what the guard asks when nothing is scripted."""

    async def dial(host: str, port: int) -> trio.abc.Stream:
        raise AssertionError("connected")

    with pytest.raises(module.Refused):
        await Guard(dial=dial).open(host, 80)


async def test_addresses_are_tried_in_turn() -> None:
    """IPv4 first; the first failure is told when none answers."""
    tried: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["2606:4700::1111", "8.8.8.8", "8.8.4.4"]

    async def dial(host: str, port: int) -> trio.abc.Stream:
        tried.append(host)
        raise OSError(f"not {host}")

    with pytest.raises(OSError, match=r"not 8\.8\.8\.8"):
        await Guard(resolve=resolve, dial=dial).open("images.test", 80)
    assert tried == ["8.8.8.8", "8.8.4.4", "2606:4700::1111"]
