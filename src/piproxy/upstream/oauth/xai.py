"""xAI accounts (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import MINUTE_MS, Context, Entry, TokenRequest, expiry, form, lifetime, text, text_or

ROTATES: Final = True
PAUSES: Final = ()

_URL: Final = "https://auth.x.ai/oauth2/token"
_CLIENT: Final = "b1a00492-073a-47ea-816f-4c329264a828"


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    return form(_URL, {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": entry.refresh})


def stored(entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    return {
        "type": "oauth",
        "access": text(reply, "access_token"),
        "refresh": text_or(reply, "refresh_token", entry.refresh),
        "expires": expiry(now_ms, lifetime(reply), 5 * MINUTE_MS),
    }
