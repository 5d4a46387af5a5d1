"""The tool calls of one answer. They mostly arrive whole, but may go on under the same index."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.events import Event, ToolCallDelta, ToolCallStart
from piproxy.jsontext import Json, as_text


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    index: int | None = None
    text: list[str] = field(default_factory=list)


class Calls:
    """Slots by the provider's index, dense indexes for the client."""

    def __init__(self, wire_id: str) -> None:
        self._wire_id = wire_id
        self._slots: dict[Hashable, _Call] = {}
        self._all: list[_Call] = []
        self.started = 0

    def delta(self, piece: Mapping[str, Json]) -> list[Event]:
        """One element of ``tool_calls``."""
        said = piece.get("function")
        function = said if isinstance(said, dict) else {}
        id_, name = as_text(piece.get("id")), as_text(function.get("name"))
        call = self._slot(piece.get("index"), "" if id_ == "null" else id_, name)
        call.name = call.name or name
        text = _arguments(function.get("arguments"), begun=bool(call.text))
        if text:
            call.text.append(text)
        if call.index is not None:
            return [ToolCallDelta(call.index, text)] if text else []
        return self._start(call)

    def check(self) -> None:
        """Raises :class:`UpstreamBroken` if a call was never named."""
        if any(call.index is None for call in self._all):
            raise UpstreamBroken("The provider sent a tool call without a name.")

    def _slot(self, index: Json, id_: str, name: str) -> _Call:
        """The call that a piece belongs to: by index; else an id names it, a name begins one, the rest goes on."""
        key: Hashable
        if isinstance(index, int):
            key = index
        elif id_:
            key = ("id", id_)
        else:
            key = ("new", len(self._all)) if name or not self._all else ("last",)
        known = self._all[-1] if key == ("last",) else self._slots.get(key)
        another = known is not None and bool(id_ and known.id and id_ != known.id and name)
        if known is None or another:
            known = self._slots[key] = _Call(id_)
            self._all.append(known)
        known.id = known.id or id_
        return known

    def _start(self, call: _Call) -> list[Event]:
        if not call.name:
            return []
        call.index = self.started
        self.started += 1
        taken = {other.id for other in self._all if other is not call}
        if not call.id or call.id in taken:
            call.id = "_".join(filter(None, ("call", self._wire_id[:28], str(call.index))))
        start = ToolCallStart(call.index, call.id, call.name)
        text = "".join(call.text)
        return [start, ToolCallDelta(call.index, text)] if text else [start]


def _arguments(value: Json, *, begun: bool) -> str:
    """Argument text; an object is a whole, so it counts only where nothing came before it."""
    if value is None or isinstance(value, str):
        return value or ""
    return "" if begun else jsontext.dump(value).decode()
