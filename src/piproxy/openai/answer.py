"""What a stream of chunks and a whole answer have in common."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, TypeVar

from piproxy.events import FinishReason, ToolCallStart
from piproxy.jsontext import Json

_CUT_SHORT: Final = frozenset(("length", "content_filter"))


class Calls:
    """Which tool calls were made, and which of them have argument text."""

    def __init__(self) -> None:
        self.made: list[ToolCallStart] = []
        self._with_text: set[int] = set()

    def start(self, event: ToolCallStart) -> None:
        self.made.append(event)

    def text(self, index: int) -> None:
        self._with_text.add(index)

    def reason(self, reason: FinishReason) -> FinishReason:
        """``tool_calls`` when tools were called, whatever the provider calls that (field.md, 25)."""
        return "tool_calls" if self.made and reason == "stop" else reason

    def empty(self, reason: FinishReason) -> list[int]:
        """Function calls that ended without argument text: clients need ``{}`` to parse.

        The last call of an answer that was cut short has not ended, and gets none.
        """
        ended = self.made[:-1] if reason in _CUT_SHORT else self.made
        return [call.index for call in ended if not call.custom and call.index not in self._with_text]


class Details:
    """Opaque thinking as OpenRouter's ``reasoning_details``, which several clients give back.

    Every item gets an ``index`` of its own, dense from 0 over the answer: openai-python's accumulator raises on an item
    without one, and glues together two that share one (wire reference, 9.1).
    """

    def __init__(self) -> None:
        self.items: list[Json] = []

    def add(self, value: Json) -> list[Json]:
        """The new items; anything that is no object, or a list of them, has no place in this shape."""
        start = len(self.items)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                self.items.append({**item, "index": len(self.items)})
        return self.items[start:]


Channel = TypeVar("Channel", bound=Hashable)


def joined(held: dict[Channel, str], channel: Channel, text: str) -> str:
    """The text without a first half of a surrogate pair at its end, and with the one that was ``held`` back before.

    Providers that count in UTF-16 split a pair over two deltas. A half is no text: it cannot be UTF-8, and what clients
    read from an escape they cannot print, or refuse.
    """
    if half := held.pop(channel, ""):
        text = (half + text).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    if "\ud800" <= text[-1] <= "\udbff":
        held[channel] = text[-1]
        return text[:-1]
    return text


def call_object(event: ToolCallStart, text: str) -> dict[str, Json]:
    """A tool call as both shapes of answer show it."""
    made: dict[str, Json] = {"id": event.id}
    if event.custom:
        made |= {"type": "custom", "custom": {"name": event.name, "input": text}}
    else:
        made |= {"type": "function", "function": {"name": event.name, "arguments": text}}
    if event.extra_content is not None:
        made["extra_content"] = event.extra_content
    return made
