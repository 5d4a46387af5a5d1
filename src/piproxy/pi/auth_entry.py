"""The shapes of one entry of auth.json (pi-on-disk.md, 2.1 and 2.4). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from piproxy.jsontext import Json
from piproxy.pi.environment import ALIASES


@dataclass(frozen=True, slots=True)
class ApiKeyEntry:
    """``{"type": "api_key", "key"?, "env"?}``; ``key`` is a config value, not yet expanded."""

    key: str | None = field(default=None, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class OAuthEntry:
    """``{"type": "oauth", "access", "refresh", "expires", …}``."""

    access: str = field(repr=False)
    """Empty: it has to be fetched first, and :attr:`expires` is 0."""
    refresh: str = field(repr=False)
    """Empty: there is none, and the login lasts as long as its token."""
    expires: float
    """Milliseconds since the epoch; infinite where pi sees no end."""
    raw: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """The whole entry, provider's extras included."""

    def text(self, name: str) -> str:
        """An extra that is a string; ``""`` otherwise."""
        value = self.raw.get(name)
        return value if isinstance(value, str) else ""

    @property
    def available_model_ids(self) -> frozenset[str] | None:
        """Copilot: the only models that this login may use; ``None``: all."""
        ids = self.raw.get("availableModelIds")
        if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
            return None
        return frozenset(ids)


@dataclass(frozen=True, slots=True)
class UnusableEntry:
    """An entry that owns its provider and yet configures nothing."""

    reason: str


StoredEntry: TypeAlias = ApiKeyEntry | OAuthEntry | UnusableEntry


def read_entry(value: Json) -> StoredEntry:
    """Any JSON value as an entry; nothing is refused, what pi would not use is an :class:`UnusableEntry`."""
    if not isinstance(value, dict):
        return UnusableEntry("the entry is not an object")
    kind = value.get("type")
    if kind == "api_key":
        return _api_key(value)
    if kind == "oauth":
        return _oauth(value)
    return UnusableEntry(f"unknown type {kind!r}" if isinstance(kind, str) else "the entry has no type")


def find_entry(entries: Mapping[str, Json], provider: str) -> tuple[str, StoredEntry] | None:
    """The key under which the provider's entry is stored, and the entry; a provider's other id is tried second."""
    for key in (provider, ALIASES.get(provider)):
        if key is not None and key in entries:
            return key, read_entry(entries[key])
    return None


def _api_key(value: dict[str, Json]) -> StoredEntry:
    """The key counts whatever ``env`` is, as in pi; of ``env`` texts and whole numbers do."""
    key, env = value.get("key"), value.get("env")
    if key is not None and not isinstance(key, str):
        return UnusableEntry("key is not a string")
    if not isinstance(env, dict):
        return ApiKeyEntry(key)
    good = {name: item for name, item in env.items() if isinstance(item, str | int) and not isinstance(item, bool)}
    return ApiKeyEntry(key, {name: str(item) for name, item in good.items()})


def _oauth(value: dict[str, Json]) -> StoredEntry:
    access, refresh = value.get("access", ""), value.get("refresh", "")
    if not isinstance(access, str) or not isinstance(refresh, str):
        return UnusableEntry("access or refresh is no text")
    if not access and not refresh:
        return UnusableEntry("access and refresh are missing")
    return OAuthEntry(access, refresh, _milliseconds(value.get("expires", math.inf)) if access else 0, value)


def _milliseconds(expires: Json) -> float:
    """As JavaScript compares it: ``null``, which is what it writes for NaN, is long ago, and what is no number has
    never come."""
    if expires is None:
        return 0
    try:
        number = float(expires) if isinstance(expires, str) else expires
        return number if isinstance(number, int | float) and not math.isnan(number) else math.inf
    except ValueError:
        return math.inf
