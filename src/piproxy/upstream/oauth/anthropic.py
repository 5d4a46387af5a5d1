"""Claude subscriptions (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import (
    MINUTE_MS,
    Context,
    Entry,
    TokenRequest,
    expiry,
    json_post,
    lifetime,
    text,
    text_or,
)

ROTATES: Final = True
PAUSES: Final = ()

_URL: Final = "https://platform.claude.com/v1/oauth/token"
_CLIENT: Final = "9d1c250a-e61b-44d9-88ed-5944d1962f5e"


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    return json_post(_URL, {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": entry.refresh})


def stored(entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    return {
        "type": "oauth",
        "refresh": text_or(reply, "refresh_token", entry.refresh),
        "access": text(reply, "access_token"),
        "expires": expiry(now_ms, lifetime(reply), 5 * MINUTE_MS),
    }
