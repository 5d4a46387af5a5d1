"""The content blocks of one answer, while they arrive and when they are closed (wire-native-apis.md, 2.10)."""

from __future__ import annotations

from dataclasses import dataclass, field

from piproxy.jsontext import Json, dump


@dataclass(slots=True)
class TextBlock:
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ThinkingBlock:
    pieces: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RedactedBlock:
    data: str


@dataclass(slots=True)
class CallBlock:
    """A tool call. ``number`` is its place among the calls that the client sees; ``None``: its arguments are the answer
    text.
    """

    id: str
    name: str
    number: int | None
    custom: bool = False
    input: Json = None
    """What the block's start already held: the arguments, if no delta follows."""
    pieces: list[str] = field(default_factory=list)
    """Argument text so far."""

    def rest(self) -> str:
        """What the block's start held, if no delta followed. An answer text (``number`` is ``None``) is never empty;
        for a call without arguments whoever writes the client's answer knows what to say.
        """
        if any(self.pieces):
            return ""
        given = self.input if isinstance(self.input, dict) else {}
        return dump(given).decode() if given or self.number is None else ""


@dataclass(slots=True)
class IgnoredBlock:
    """Server tools and their results, compaction, and whatever comes later."""


Block = TextBlock | ThinkingBlock | RedactedBlock | CallBlock | IgnoredBlock
