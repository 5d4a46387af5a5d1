"""The ``.http`` files of a recorded case: exact bytes in pieces, each with the moment at which it went over the wire.

A file is a row of blocks. A block is one line and then as many bytes as it says, and a line end that belongs to nobody:

    ### sent 1 at 0.012345 size 498
    POST /v1/chat/completions HTTP/1.1
    …

The words are ``sent`` (bytes of the client, or of piproxy to its upstream), ``got`` (bytes of the answer) and
``closed`` (that side ended the connection). The number is the connection's, or the upstream exchange's, from 1.
Seconds count from the client's first connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SENT: Final = "sent"
GOT: Final = "got"
CLOSED: Final = "closed"
_LINE: Final = re.compile(rb"### (sent|got|closed) (\d+) at (\d+\.\d+) size (\d+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """Some bytes at some time, or the end of a connection (no bytes)."""

    word: str
    number: int
    at: float
    """Seconds."""
    data: bytes = b""


def dump(blocks: Iterable[Block]) -> bytes:
    """The file of these blocks."""
    return b"".join(
        b"### %s %d at %.6f size %d\n%s\n" % (block.word.encode(), block.number, block.at, len(block.data), block.data)
        for block in blocks
    )


def parse(data: bytes) -> list[Block]:
    """The blocks of a file. Raises :class:`ValueError` where it is damaged (line ends changed by an editor, often)."""
    blocks: list[Block] = []
    at = 0
    while at < len(data):
        found = _LINE.match(data, at)
        if found is None:
            raise ValueError(f"no block begins at byte {at}")
        word, number, seconds, size = found.groups()
        end = found.end() + int(size)
        if data[end : end + 1] != b"\n":
            raise ValueError(f"the block at byte {at} is not as long as it says")
        blocks.append(Block(word.decode(), int(number), float(seconds), data[found.end() : end]))
        at = end + 1
    return blocks


def read(path: Path) -> list[Block]:
    """The blocks of the file; none, if it does not exist."""
    return parse(path.read_bytes()) if path.exists() else []


def joined(blocks: Sequence[Block], number: int, word: str) -> bytes:
    """All bytes of one side of one connection."""
    return b"".join(block.data for block in blocks if block.number == number and block.word == word)


def numbers(blocks: Sequence[Block]) -> list[int]:
    """The connections in the order in which they first appear."""
    return list(dict.fromkeys(block.number for block in blocks))
