"""OpenRouter: the login gives a permanent key, and there is nothing to renew (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import Context, Entry, Refused, TokenRequest

ROTATES: Final = False
PAUSES: Final = ()


def request(_entry: OAuthEntry, _context: Context) -> TokenRequest:
    raise Refused("an OpenRouter key does not expire and cannot be renewed", final=True)


def stored(entry: OAuthEntry, _reply: Json, _now_ms: int) -> Entry:
    return dict(entry.raw)
