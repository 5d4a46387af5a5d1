"""The tool calls of one answer: what was announced, streamed and finally said about each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.events import Event, ToolCallDelta, ToolCallStart
from piproxy.jsontext import Json, as_text

CALL_TYPES: Final = ("function_call", "custom_tool_call")
"""The output items that the client must act on; all other tools run at the provider."""


@dataclass(slots=True)
class _Call:
    custom: bool
    id: str = ""
    name: str = ""
    index: int | None = None
    """The client's index; ``None`` until id and name are known."""
    text: list[str] = field(default_factory=list)


class Calls:
    """Slots by output index (the caller's ``key``), dense indexes for the client, arguments byte for byte."""

    def __init__(self, wire_id: str) -> None:
        self._wire_id = wire_id
        self._slots: dict[Hashable, _Call] = {}
        self._all: list[_Call] = []
        self.started = 0

    def item(self, key: Hashable, item: Mapping[str, Json], *, done: bool) -> list[Event]:
        """A ``function_call`` or ``custom_tool_call`` item, as it begins or as it is in the end."""
        custom = item.get("type") == "custom_tool_call"
        id_ = as_text(item.get("call_id"))
        call = self._slots.get(key)
        if call is None or (call.id and id_ and call.id != id_):
            call = self._open(key, custom=custom)
        call.custom = custom
        call.id = call.id or id_ or (as_text(item.get("id")) if done else "")
        call.name = call.name or as_text(item.get("name"))
        if done and call.name and not call.id:
            call.id = f"call_{self._wire_id}{len(self._all)}"
        return self._final(call, item.get("input" if custom else "arguments"))

    def delta(self, key: Hashable, text: str, *, custom: bool) -> list[Event]:
        """A piece of the arguments; a call that was never announced waits for its name."""
        call = self._slots.get(key) or self._open(key, custom=custom)
        call.text.append(text)
        return self._start(call) if call.index is None else [ToolCallDelta(call.index, text)] if text else []

    def final(self, key: Hashable, text: Json, *, custom: bool) -> list[Event]:
        """The whole arguments: what was not streamed of them, if they go on from what was."""
        return self._final(self._slots.get(key) or self._open(key, custom=custom), text)

    def in_the_end(self, at: int, item: Mapping[str, Json]) -> list[Event]:
        """A call as the terminal event lists it, at position ``at``, whose events may be missing."""
        id_ = as_text(item.get("call_id"))
        known = next((call for call in self._all if id_ and call.id == id_), None)
        if known is not None:
            return self._final(known, item.get("input" if known.custom else "arguments"))
        there = self._slots.get(at)
        if there is None or there.index is None or (not id_ and there.name == item.get("name")):
            return self.item(at, item, done=True)
        return self.item(("end", at), item, done=True)

    def check(self) -> None:
        """Raises :class:`UpstreamBroken` if there are arguments for a call that was never named."""
        if any(call.index is None for call in self._all):
            raise UpstreamBroken("The provider sent arguments for a tool call that it never named.")

    @property
    def size(self) -> int:
        """Characters of all arguments."""
        return sum(len(text) for call in self._all for text in call.text)

    def _open(self, key: Hashable, *, custom: bool) -> _Call:
        call = self._slots[key] = _Call(custom)
        self._all.append(call)
        return call

    def _final(self, call: _Call, value: Json) -> list[Event]:
        before = call.index
        whole = _arguments(value)
        streamed = "".join(call.text)
        rest = whole[len(streamed) :] if whole.startswith(streamed) else ""
        if rest:
            call.text.append(rest)
        if before is None:
            return self._start(call)
        return [ToolCallDelta(before, rest)] if rest else []

    def _start(self, call: _Call) -> list[Event]:
        """Start and what has gathered, as soon as id and name are known."""
        if not call.id or not call.name:
            return []
        call.index = self.started
        self.started += 1
        start = ToolCallStart(call.index, call.id, call.name, custom=call.custom)
        text = "".join(call.text)
        return [start, ToolCallDelta(call.index, text)] if text else [start]


def _arguments(value: Json) -> str:
    """Argument text; an object, which some hosts send, is written as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return jsontext.dump(value).decode()
