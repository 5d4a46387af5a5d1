"""Kimi Code (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.pi.environment import first
from piproxy.upstream.oauth.parts import Context, Entry, TokenRequest, expiry, form, lifetime, text

ROTATES: Final = True
PAUSES: Final = (1.0, 2.0, 4.0)

_HOST: Final = "https://auth.kimi.com"
_HOST_VARIABLES: Final = ("KIMI_CODE_OAUTH_HOST", "KIMI_OAUTH_HOST")
_CLIENT: Final = "17e5f671-d194-4dfb-9706-5516cb48c098"


def request(entry: OAuthEntry, context: Context) -> TokenRequest:
    named = first(context.environ, _HOST_VARIABLES)
    host = named[1].strip().rstrip("/") if named else _HOST
    fields = {"client_id": _CLIENT, "grant_type": "refresh_token", "refresh_token": entry.refresh}
    return form(f"{host}/api/oauth/token", fields)


def stored(_entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    return {
        "type": "oauth",
        "access": text(reply, "access_token"),
        "refresh": text(reply, "refresh_token"),
        "expires": expiry(now_ms, lifetime(reply)),
    }
