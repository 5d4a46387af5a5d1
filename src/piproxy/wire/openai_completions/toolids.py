"""Tool-call ids that the upstream takes (wire reference, 3.5): the client's own wherever that is possible.

An id with a ``|`` was once made by a Responses API of two ids; OpenAI takes at most 40 characters. The same id gives
the same wire id in every request of a conversation, and different ids stay different.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

LENGTH: Final = 40
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")


def wire_ids(ids: Iterable[str], *, short: bool) -> dict[str, str]:
    """Wire id by client id. ``short``: the upstream refuses more than 40 characters."""
    known = tuple(dict.fromkeys(ids))
    wires = {name: _wire(name, short=short) for name in known}
    taken = {name for name in known if wires[name] == name}
    for name in known:
        if wires[name] == name:
            continue
        attempt = 0
        while wires[name] in taken:
            attempt += 1
            wires[name] = _hashed(_halves(name)[0], f"{attempt}:{name}")
        taken.add(wires[name])
    return wires


def _wire(id: str, *, short: bool) -> str:
    if "|" in id:
        joined = "_".join(filter(None, _halves(id)))
        return joined if 0 < len(joined) <= LENGTH else _hashed(_halves(id)[0], id)
    return _hashed(id, id) if short and len(id) > LENGTH else id


def _halves(id: str) -> tuple[str, str]:
    call, _, item = id.partition("|")
    return _ODD.sub("_", call), _ODD.sub("_", item)


def _hashed(head: str, id: str) -> str:
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_ODD.sub('_', head)[: LENGTH - 9]}_{digest}"
