"""One recorded case: a folder with what went over both wires and a note of what it is.

``request.http`` holds the client's bytes, ``expected.http`` piproxy's, ``upstream.http`` both sides of piproxy's talk
with the provider; ``about.toml`` says which client, which version, which scenario and which model.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance import blocks
from conformance.blocks import Block
from conformance.messages import Message, Reader, Reader2, readers

TRAFFIC: Final = Path(__file__).parent / "traffic"


@dataclass(slots=True)
class Recording:
    """What went over the wires."""

    request: list[Block] = field(default_factory=list)
    upstream: list[Block] = field(default_factory=list)
    expected: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class Case:
    """A recording and its note."""

    client: str
    name: str
    about: Mapping[str, Any]
    recording: Recording

    @property
    def id(self) -> str:
        return f"{self.client}/{self.name}"

    @property
    def folder(self) -> Path:
        return TRAFFIC / self.client / self.name

    def save(self) -> None:
        """Write the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("request", "upstream", "expected"):
            (self.folder / f"{name}.http").write_bytes(blocks.dump(getattr(self.recording, name)))
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in self.about.items()]
        (self.folder / "about.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def load(folder: Path) -> Case:
    """Read the folder. Raises :class:`ValueError` or :class:`OSError` if it is damaged."""
    about = tomllib.loads((folder / "about.toml").read_text(encoding="utf-8"))
    files = {name: blocks.read(folder / f"{name}.http") for name in ("request", "upstream", "expected")}
    return Case(folder.parent.name, folder.name, about, Recording(**files))


def folders(pattern: str = "") -> list[Path]:
    """All case folders whose ``/client/case`` holds the text."""
    found = sorted(path.parent for path in TRAFFIC.glob("*/*/about.toml"))
    return [path for path in found if pattern in f"/{path.parent.name}/{path.name}"]


@dataclass(slots=True)
class Exchange:
    """A request of the client and what came back, as far as it came."""

    connection: int
    request: Message
    response: Message | None
    left: bool
    """The client closed the connection before the answer was complete."""


def exchanges(sent: list[Block], got: list[Block]) -> list[Exchange]:
    """The talk between client and server, in the order of the requests."""
    pairs: dict[int, tuple[Reader | Reader2, Reader | Reader2]] = {}
    closed: set[int] = set()
    for block in sorted([*sent, *got], key=lambda block: (block.at, block.word == blocks.CLOSED)):
        if block.number not in pairs:
            pairs[block.number] = readers(blocks.joined(sent, block.number, blocks.SENT))
        reader = pairs[block.number][block in got]
        if block.word == blocks.CLOSED:
            reader.close(block.at)
            if block in sent:
                closed.add(block.number)
        else:
            reader.feed(block.data, block.at)
    found: list[Exchange] = []
    for number, (asked, answered) in pairs.items():
        replies = iter(answered.messages)
        for message in asked.messages:
            reply = next(replies, None)
            left = (number in closed or message.reset) and not (reply is not None and reply.complete)
            found.append(Exchange(number, message, reply, left))
    return sorted(found, key=lambda exchange: exchange.request.began)
