"""Fetches the images that clients name by address, for APIs that take only base64 (setting ``remoteImages``).

Whoever may send a chat request could otherwise make this machine ask any address it can reach, so:

* only ``http`` and ``https``, no user and password in the address, no oddly written IP addresses;
* a name is resolved once, every address it has must be a public one, and the connection is made to an address that
  was looked at, so that a name that changes its mind (DNS rebinding) gains nothing; the certificate must be the name's;
* a redirect begins all of this anew, and there are few of them;
* nothing goes through a proxy of the environment: behind one, what was looked at is not what is asked, since the proxy
  resolves the name anew, and may stand where more can be reached than from here. An address that the environment wants
  asked through a proxy is refused; ``NO_PROXY`` makes exceptions, and those are asked directly;
* no cookies, no credentials, none of the client's headers are sent;
* what comes must be a PNG, JPEG, GIF or WebP by its first bytes, and not too large.

The clock is the exchange's.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import trio

from piproxy.chat import AssistantMessage, Chat, Content, Image, Message
from piproxy.errors import InvalidRequest, PiproxyError
from piproxy.upstream.addresses import is_odd, is_public
from piproxy.upstream.connections import Dial
from piproxy.upstream.http import Answer, Http

MAX_REDIRECTS: Final = 3
MAX_IMAGES: Final = 20
"""Addresses in one request."""
MAX_BYTES: Final = 15 * 1024 * 1024
"""Of one image; as base64 that is what an inline image may have."""
MAX_TOTAL: Final = 50 * 1024 * 1024
"""Bytes of all images of one request."""

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_HEADERS: Final = {"accept": "image/png,image/jpeg,image/gif,image/webp"}
_UNTYPED: Final = frozenset(("", "application/octet-stream", "binary/octet-stream"))

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a name."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer. Raises ``OSError``."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Refused(Exception):
    """Why an image is not fetched; a sentence for the client."""


class Guard:
    """Opens TCP streams to public addresses only."""

    def __init__(self, *, resolve: Resolve = resolve, dial: Dial = trio.open_tcp_stream) -> None:
        """``dial`` is called with checked IP addresses only."""
        self._resolve = resolve
        self._dial = dial

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """Raises :class:`Refused`, and ``OSError`` when no address answers."""
        if "%" in host or is_odd(host):
            raise Refused("its host is not a plain name or address.")
        addresses = await self._resolve(host, port)
        if not addresses or not all(map(is_public, addresses)):
            raise Refused("its address does not lead to a public server.")
        failure: OSError | None = None
        for address in sorted(addresses, key=lambda found: ":" in found):  # IPv6 is often there only in name
            try:
                return await self._dial(address, port)
            except OSError as exc:
                failure = failure or exc
        raise failure or OSError("no address")


class Images:
    """The way to images. Use as ``async with Images() as images``."""

    def __init__(self, guard: Guard | None = None, *, proxied: Callable[[str], bool] | None = None) -> None:
        """``proxied``: does the environment want this address asked through a proxy?"""
        self._http = Http(dial=(guard or Guard()).open)
        self._proxied = proxied or behind_proxy

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, exc, trace)

    async def inlined(self, chat: Chat) -> Chat:
        """The chat with ``data:`` URIs in place of addresses.

        Raises :class:`InvalidRequest` with the path of the first image that cannot be had.
        """
        where = _remote(chat)
        if len(where) > MAX_IMAGES:
            raise _invalid(where[next(iter(where))], f"there are more than {MAX_IMAGES} images by address.")
        data: dict[str, str] = {}
        left = MAX_TOTAL
        for url, path in where.items():
            try:
                body = await self._fetch(url, min(left, MAX_BYTES))
            except Refused as why:
                raise _invalid(path, str(why)) from None
            except PiproxyError as error:
                raise _invalid(path, f"it could not be fetched. {error.message}") from error
            left -= len(body)
            data[url] = f"data:{_media_type(body)};base64,{b64encode(body).decode('ascii')}"
        return replace(chat, messages=tuple(_with(message, data) for message in chat.messages))

    async def _fetch(self, url: str, limit: int) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            checked(url)
            if self._proxied(url):
                raise Refused(
                    "this machine reaches it only through a proxy, and piproxy could not make sure that it leads to a "
                    "public server. Send the image as a base64 data URI, or exempt the host with NO_PROXY."
                )
            async with self._http.stream("GET", url, headers=_HEADERS) as answer:
                if answer.status not in _REDIRECTS:
                    return await _image(answer, limit)
                url = urljoin(url, answer.headers.get("location", ""))
        raise Refused(f"it is redirected more than {MAX_REDIRECTS} times.")


def checked(url: str) -> None:
    """Raises :class:`Refused` for an address that is not fetched wherever it leads."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # out of range: ValueError
    except ValueError:
        host = None
    if not host or any(ord(c) <= 0x20 or c == "\\" for c in url):
        raise Refused("it is not a valid address.")
    if parts.scheme not in ("http", "https"):
        raise Refused("only http and https addresses are fetched.")
    if "@" in parts.netloc:
        raise Refused("an address with a user name or password is not fetched.")


def behind_proxy(url: str) -> bool:
    """Does the environment (or the system) want this address asked through a proxy?"""
    parts, proxies = urlsplit(url), getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not proxy_bypass(parts.netloc)


async def _image(answer: Answer, limit: int) -> bytes:
    """The body of an answer, if it is an image."""
    if answer.status != 200:
        raise Refused(f"its server answered with the status {answer.status}.")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _UNTYPED and not kind.startswith("image/"):
        raise Refused("what is there is not an image.")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("its server sends it compressed, which was not asked for.")
    too_large = Refused(f"the image is larger than {limit} bytes.")
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise too_large
    body = bytearray()
    while chunk := await answer.read():
        body += chunk
        if len(body) > limit:
            raise too_large
        if len(body) >= 12 and not _media_type(body):
            break
    if not _media_type(body):
        raise Refused("what is there is not a PNG, JPEG, GIF or WebP image.")
    return bytes(body)


def _media_type(body: bytes | bytearray) -> str:
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _remote(chat: Chat) -> dict[str, str]:
    """Each address once, and the path where it first stands."""
    found: dict[str, str] = {}
    for at, message in enumerate(chat.messages):
        if isinstance(message.content, tuple):
            for number, part in enumerate(message.content):
                if isinstance(part, Image) and part.remote:
                    found.setdefault(part.url, f"messages[{at}].content[{number}].image_url")
    return found


def _with(message: Message, data: dict[str, str]) -> Message:
    if isinstance(message, AssistantMessage) or isinstance(message.content, str):
        return message
    content: Content = tuple(
        replace(part, url=data[part.url]) if isinstance(part, Image) and part.url in data else part
        for part in message.content
    )
    return replace(message, content=content)


def _invalid(path: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{path}': {reason}", param=path, code="invalid_image_url")
