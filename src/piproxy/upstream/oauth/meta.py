"""Meta accounts: the stored identity token buys a key for a day (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import Context, Entry, TokenRequest, expiry, json_post, text

ROTATES: Final = False
PAUSES: Final = ()

_URL: Final = "https://api.meta.ai/muse-code/key"
_DAY: Final = 24 * 3600.0


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    return json_post(_URL, {}, {"Authorization": f"Bearer {entry.refresh}", "x-api-version": "1.0.0"})


def stored(entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    return {
        "type": "oauth",
        "refresh": entry.refresh,
        "access": text(reply, "api_key"),
        "expires": expiry(now_ms, _DAY),
    }
