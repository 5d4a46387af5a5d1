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
    """``{"type": "oauth", "access", "refresh", "expires", …}``; ``expires`` in milliseconds since the epoch."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float
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
    key, env = value.get("key"), value.get("env", {})
    if key is not None and not isinstance(key, str):
        return UnusableEntry("key is not a string")
    if env is None:
        env = {}
    if not isinstance(env, dict) or not all(isinstance(item, str) for item in env.values()):
        return UnusableEntry("env is not an object of strings")
    return ApiKeyEntry(key, env)


def _oauth(value: dict[str, Json]) -> StoredEntry:
    access, refresh, expires = value.get("access"), value.get("refresh"), value.get("expires")
    if not isinstance(access, str) or not isinstance(refresh, str):
        return UnusableEntry("access or refresh is missing")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or not math.isfinite(expires):
        return UnusableEntry("expires is not a number")
    return OAuthEntry(access, refresh, expires, value)
