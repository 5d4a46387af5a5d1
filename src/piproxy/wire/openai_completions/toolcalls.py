"""Tool calls put together from deltas that servers number in many ways (wire reference, 3.8).

A delta belongs to a call by its ``index``, else by its ``id``; one with neither goes on with the last call, unless it
names a function. An index that comes back with another id after complete arguments is a new call. Out go dense indexes,
one start per call with an id and a name, and the argument text byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.events import Event, ToolCallDelta, ToolCallStart
from piproxy.jsontext import Json

_NO_ID: Final = frozenset(("", "null", "None"))


@dataclass(slots=True)
class _Call:
    id: str | None
    custom: bool
    name: str = ""
    number: int | None = None
    """The index that went out; ``None`` until the name is known."""
    text: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Argument text that came before the name."""
    whole: bool = False
    """The arguments came as an object: there is nothing to add."""
    extra: Json | None = None


class ToolCalls:
    """The calls of one answer."""

    def __init__(self, wire_id: str) -> None:
        self._wire_id = wire_id
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._ids: list[str] = []
        self.extras: dict[str, Json] = {}
        """``extra_content`` by the id that the client knows."""

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that went out, by index."""
        return tuple(self._ids)

    def read(self, delta: Mapping[str, Json]) -> Iterator[Event]:
        """Events of one element of ``delta.tool_calls``."""
        custom = delta.get("type") == "custom" or "custom" in delta
        function = delta.get("custom") if custom else delta.get("function")
        if not isinstance(function, dict):
            function = {}
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        given = delta.get("id")
        id_ = given if isinstance(given, str) and given not in _NO_ID else None
        index = delta.get("index")
        call = self._find(index if isinstance(index, int) and not isinstance(index, bool) else None, id_, name)
        if call is None:
            call = _Call(id_, custom)
            self._calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        call.id = call.id or id_
        if delta.get("extra_content") is not None:
            call.extra = delta["extra_content"]
            if call.number is not None:
                self.extras[self._ids[call.number]] = call.extra
        if name and call.number is None:
            call.name = name
            yield self._start(call)
        yield from self._arguments(call, function.get("input" if custom else "arguments"))

    def check(self) -> None:
        """Raises :class:`UpstreamBroken` if a call never got a name."""
        if any(call.number is None for call in self._calls):
            raise UpstreamBroken("The provider called a tool without saying which.")

    def _find(self, index: int | None, id_: str | None, name: str) -> _Call | None:
        if index is not None and index in self._by_index:
            known = self._by_index[index]
            return None if self._other_call(known, id_, name) else known
        if id_ is None:
            return None if name or not self._calls else self._calls[-1]
        same = next((call for call in reversed(self._calls) if call.id == id_), None)
        if same is None or index is None:
            return same
        if name and same.name:
            return None  # two calls that share an id, told apart by their indexes
        self._by_index[index] = same
        return same

    @staticmethod
    def _other_call(call: _Call, id_: str | None, name: str) -> bool:
        """An index used again: another id and a name, after arguments that are complete."""
        if not id_ or not name or call.id is None or id_ == call.id:
            return False
        return call.whole or not call.text or _complete("".join(call.text))

    def _start(self, call: _Call) -> ToolCallStart:
        call.number = len(self._ids)
        made_up = f"call_{self._wire_id[:24]}_{call.number}" if self._wire_id else f"call_{call.number}"
        id_ = call.id or made_up
        if id_ in self._ids:
            id_ = made_up
        self._ids.append(id_)
        if call.extra is not None:
            self.extras[id_] = call.extra
        return ToolCallStart(call.number, id_, call.name, custom=call.custom, extra_content=call.extra)

    def _arguments(self, call: _Call, value: Json) -> Iterator[Event]:
        if value is None or call.whole:
            text = ""
        elif isinstance(value, str):
            text = value
        else:
            call.whole = True
            text = "" if call.text else jsontext.dump(value).decode()
        if text:
            call.text.append(text)
        if call.number is None:
            call.waiting.append(text)
            return
        for piece in (*call.waiting, text):
            if piece:
                yield ToolCallDelta(call.number, piece)
        call.waiting = []


def _complete(text: str) -> bool:
    try:
        jsontext.parse(text)
    except (ValueError, RecursionError):
        return False
    return True
