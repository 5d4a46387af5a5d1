"""What must not be in a recording: keys, names of this machine and its user. Replaced by as many other characters.

The length stays, so that the pieces of a recording keep their sizes and ``content-length`` its truth. HTTP/2 hides its
headers from a search, and cuts bodies into frames: there the recorder refuses a connection in which something is left.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Sequence
from typing import Final

from conformance.blocks import SENT, Block
from conformance.messages import PREFACE, Reader2

_SECRET_HEADERS: Final = (
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "cookie",
    "set-cookie",
)
_HEADER: Final = re.compile(
    rb"(?i)(^|\r\n)((?:%s):[ \t]*(?:bearer |basic )?)([^\r\n]+)" % b"|".join(map(str.encode, _SECRET_HEADERS))
)
_TOKENS: Final = re.compile(
    rb"(?:sk-[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+|AKIA[0-9A-Z]{16}"
    rb"|gh[opsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|(?:xai-|gsk_|hf_)[A-Za-z0-9]{20,}|AIza[A-Za-z0-9_-]{30,})"
)


class SecretLeft(Exception):
    """A secret that cannot be taken out."""


def stripped(
    blocks: Sequence[Block], secrets: Sequence[str] = (), *, names: Sequence[str] | None = None
) -> list[Block]:
    """The same blocks without secrets; each connection and side is searched as a whole. Raises :class:`SecretLeft`.

    ``names`` are those of the machine and its user, if not of this one.
    """
    secrets = (*secrets, *(_names() if names is None else names))
    sides: dict[tuple[str, int], bytearray] = {}
    for block in blocks:
        sides.setdefault((block.word, block.number), bytearray()).extend(block.data)
    clean = {side: _clean(bytes(data), secrets) for side, data in sides.items()}
    for (word, number), data in clean.items():
        if bytes(sides.get((SENT, number), b"")).startswith(PREFACE):
            _refuse(word, data, secrets)
    result: list[Block] = []
    taken = dict.fromkeys(sides, 0)
    for block in blocks:
        side = (block.word, block.number)
        start = taken[side]
        taken[side] = start + len(block.data)
        result.append(Block(block.word, block.number, block.at, clean[side][start : taken[side]]))
    return result


def _clean(data: bytes, secrets: Sequence[str]) -> bytes:
    data = _HEADER.sub(lambda found: found[1] + found[2] + b"x" * len(found[3]), data)
    data = _TOKENS.sub(lambda found: b"x" * len(found[0]), data)
    for secret in secrets:
        data = data.replace(secret.encode(), b"x" * len(secret.encode()))
    return data


def _refuse(word: str, data: bytes, secrets: Sequence[str]) -> None:
    """HTTP/2 in which a secret is left."""
    reader = Reader2()
    reader.feed(data, 0.0)
    for message in reader.messages:
        for name, value in message.headers:
            if name in _SECRET_HEADERS or _clean(value.encode(), secrets) != value.encode():
                raise SecretLeft(f"an HTTP/2 connection is recorded without keys, and this one {word} {name}")
        if _clean(message.body, secrets) != message.body:
            raise SecretLeft(f"a secret in the body that an HTTP/2 connection {word} is cut by its frames")


def _names() -> list[str]:
    """This machine and its user, where they say something."""
    names = [socket.gethostname(), os.environ.get("HOME", ""), getpass.getuser()]
    return [name for name in names if len(name) > 4 and name not in ("localhost", "/root")]
