"""Radius gateways (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import MINUTE_MS, Context, Entry, TokenRequest, expiry, form, lifetime, text, text_or

ROTATES: Final = True
PAUSES: Final = ()

_GATEWAY: Final = "https://radius.pi.dev"
_CLIENT: Final = "pi-gateway"


def request(entry: OAuthEntry, context: Context) -> TokenRequest:
    gateway = (context.gateway or _GATEWAY).rstrip("/")
    fields = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": entry.refresh}
    return form(f"{gateway}/v1/oauth/token", fields)


def stored(entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    new: Entry = {
        "type": "oauth",
        "access": text(reply, "access_token"),
        "refresh": text_or(reply, "refresh_token", entry.refresh),
        "expires": expiry(now_ms, lifetime(reply), MINUTE_MS),
    }
    scope = text_or(reply, "scope", entry.text("scope"))
    return new | {"scope": scope} if scope else new
