"""What an answer says in words: text, refusal and reasoning, each word once, whichever event brings it first."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, Literal, TypeAlias

from piproxy.events import Event, LogprobsDelta, ReasoningDelta, RefusalDelta, TextDelta
from piproxy.jsontext import Json
from piproxy.wire.openai_responses.stops import StopCutter

Kind: TypeAlias = Literal["text", "refusal", "summary", "reasoning"]

_PARTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "summary_text": ("summary", "text"),
    "reasoning_text": ("reasoning", "text"),
}
"""Content part type -> its kind, and the field that holds its text."""
_BETWEEN: Final = "\n\n"
"""Stands between two parts of reasoning."""


class Speech:
    """Remembers per item and part what was streamed, so that a final text adds only what is missing."""

    def __init__(self, stops: Iterable[str], *, logprobs: bool) -> None:
        self._cutter = StopCutter(stops)
        self._logprobs = logprobs
        self._said: dict[tuple[Hashable, Kind, int], list[str]] = {}
        self._taken = 0
        self._given = 0
        self._waiting: list[tuple[int, Json]] = []

    @property
    def stopped(self) -> bool:
        """A stop sequence came: nothing more is said."""
        return self._cutter.hit

    def delta(self, item: Hashable, kind: Kind, part: int, text: str, logprobs: Json = None) -> list[Event]:
        """A streamed piece."""
        if not text:
            return []
        said = self._said.setdefault((item, kind, part), [])
        new_part = not said
        said.append(text)
        if kind == "text":
            return self._text(text, logprobs)
        if kind == "refusal":
            return [RefusalDelta(text)]
        again = new_part and any(key[1] in ("summary", "reasoning") for key in self._said if key != (item, kind, part))
        return [ReasoningDelta(_BETWEEN + text if again else text)]

    def part(self, item: Hashable, kind: Kind, part: int, text: Json) -> list[Event]:
        """The whole text of one part."""
        if not isinstance(text, str):
            return []
        streamed = "".join(self._said.get((item, kind, part), ()))
        return self.delta(item, kind, part, text[len(streamed) :]) if text.startswith(streamed) else []

    def content(self, item: Hashable, parts: Json) -> list[Event]:
        """All parts of one item, in the end; of an item that was streamed, only what goes on from that."""
        events: list[Event] = []
        for kind in ("text", "refusal", "summary", "reasoning"):
            finals = [
                (at, part[name], part.get("logprobs"))
                for at, part in enumerate(parts if isinstance(parts, list) else ())
                if isinstance(part, dict)
                for its_kind, name in (_PARTS.get(str(part.get("type")), ("", "")),)
                if its_kind == kind and isinstance(part.get(name), str)
            ]
            streamed = "".join(text for key, said in self._said.items() if key[:2] == (item, kind) for text in said)
            skip = len(streamed)
            if not "".join(text for _, text, _ in finals).startswith(streamed):
                continue
            for at, text, logprobs in finals:
                events += self.delta(item, kind, at, text[skip:], None if streamed else logprobs)
                skip = max(0, skip - len(text))
        return events

    def has_said(self, *kinds: Kind) -> bool:
        """Whether anything of these kinds came."""
        return any(key[1] in kinds for key in self._said)

    def size(self, *kinds: Kind) -> int:
        """Characters of these kinds that the provider sent, a text behind a stop sequence among them."""
        return sum(len(text) for key, said in self._said.items() if key[1] in kinds for text in said)

    def flush(self) -> list[Event]:
        """The text that waited for a stop sequence."""
        return self._give(self._cutter.flush())

    def _text(self, text: str, logprobs: Json) -> list[Event]:
        if self.stopped:
            return []
        if self._logprobs and isinstance(logprobs, list) and logprobs:
            self._waiting.append((self._taken, [_chat_logprob(entry) for entry in logprobs if isinstance(entry, dict)]))
        self._taken += len(text)
        return self._give(self._cutter.push(text))

    def _give(self, text: str) -> list[Event]:
        """The text, with the probabilities of the deltas that it came from."""
        self._given += len(text)
        ready = [entry for start, entries in self._waiting if start < self._given for entry in entries]
        self._waiting = [pair for pair in self._waiting if pair[0] >= self._given]
        events: list[Event] = [TextDelta(text)] if text else []
        if ready:
            events.append(LogprobsDelta({"content": ready, "refusal": None}))
        return events


def _chat_logprob(entry: Mapping[str, Json]) -> Json:
    """One token as chat completions write it: ``bytes`` may be null there, but not missing."""
    mapped = {"token": entry.get("token"), "logprob": entry.get("logprob"), "bytes": entry.get("bytes")}
    top = entry.get("top_logprobs")
    mapped["top_logprobs"] = [
        {"token": other.get("token"), "logprob": other.get("logprob"), "bytes": other.get("bytes")}
        for other in (top if isinstance(top, list) else ())
        if isinstance(other, dict)
    ]
    return mapped
