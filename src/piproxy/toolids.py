"""Tool-call ids survive a change of provider in mid-conversation.

Every API has its own idea of an id (length, alphabet), and refuses a history that another API's ids stand in. An
:class:`IdMap` turns the client's ids into ones that fit and back again. Ids that fit already stay as they are; the
others are replaced by a hash, so that the same id gives the same wire id in every request of the conversation (prompt
caches depend on it).
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ALNUM: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DIGEST: Final = 11
"""Base-62 characters that are hash (65 bits) where the rule leaves room for more than the hash."""


@dataclass(frozen=True, slots=True)
class IdRule:
    """What one API accepts: at most (or, ``exact``, exactly) ``length`` characters of ``alphabet``.

    An ``alphabet`` of ``None`` is any text.
    """

    length: int
    alphabet: str | None = None
    exact: bool = False

    def fits(self, id: str) -> bool:
        """Whether the API would take ``id`` as it is."""
        right_length = len(id) == self.length if self.exact else 0 < len(id) <= self.length
        return right_length and (self.alphabet is None or not set(id) - set(self.alphabet))


ANTHROPIC: Final = IdRule(64, _ALNUM + "_-")
"""``[a-zA-Z0-9_-]{1,64}``: Anthropic's Messages API, and Bedrock Converse likewise."""
BEDROCK: Final = ANTHROPIC
MISTRAL: Final = IdRule(9, _ALNUM, exact=True)
"""Exactly nine letters and digits."""
RESPONSES: Final = IdRule(64, _ALNUM + "_-")
"""OpenAI Responses ``call_id``."""
OPENAI: Final = IdRule(40)
"""OpenAI chat completions: at most 40 characters."""


class IdMap:
    """The ids of one conversation, both ways. One per request; the answer's parser uses the same map.

    ``known`` are all ids of the history, so that an id that fits is never taken by the replacement of another one,
    whatever their order.
    """

    def __init__(self, rule: IdRule, known: Iterable[str] = ()) -> None:
        self._rule = rule
        self._wire: dict[str, str] = {}
        self._client: dict[str, str] = {}
        ids = tuple(known)
        for known_id in filter(rule.fits, ids):
            self._keep(known_id, known_id)
        for known_id in ids:
            self.to_wire(known_id)

    def to_wire(self, id: str) -> str:
        """The id as the provider sees it; the same for the same ``id``, and different for different ones."""
        found = self._wire.get(id)
        if found is not None:
            return found
        wire = id
        attempt = 0
        while not self._rule.fits(wire) or wire in self._client:
            wire = self._replacement(id, attempt)
            attempt += 1
        self._keep(id, wire)
        return wire

    def to_client(self, wire: str) -> str:
        """The id as the client knows it; an id that the provider made up itself is returned as it is."""
        return self._client.get(wire, wire)

    def _keep(self, id: str, wire: str) -> None:
        self._wire[id] = wire
        self._client[wire] = id

    def _replacement(self, id: str, attempt: int) -> str:
        room = self._rule.length
        if self._rule.exact or room <= _DIGEST + 1:
            return _base62(id, attempt, room)
        head = re.sub(r"[^A-Za-z0-9_-]", "_", id)[: room - _DIGEST - 1]
        return f"{head}_{_base62(id, attempt, _DIGEST)}"


def unrepeated(id: str, taken: set[str]) -> str:
    """``id``, or with the first number behind it that nobody has, from ``-2`` on; it is taken from now on."""
    fresh, number = id, 2
    while fresh in taken:
        fresh, number = f"{id}-{number}", number + 1
    taken.add(fresh)
    return fresh


def _base62(id: str, attempt: int, length: int) -> str:
    """``length`` characters that depend on every byte of ``id``."""
    digest = hashlib.sha256(f"{attempt}:{id}".encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest)
    chars: list[str] = []
    for _ in range(length):
        number, at = divmod(number, 62)
        chars.append(_ALNUM[at])
    return "".join(chars)
