"""OpenAI's "Sign in with ChatGPT" for the API (pi-on-disk.md, 4.2)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import (
    MINUTE_MS,
    Context,
    Entry,
    Refused,
    TokenRequest,
    expiry,
    form,
    lifetime,
    text,
    text_or,
)

ROTATES: Final = True
PAUSES: Final = ()

_URL: Final = "https://auth.openai.com/api/accounts/oauth/token"
_RESOURCE: Final = "https://api.openai.com/v1"
_SCOPE: Final = "chatgpt.tokens.use.direct"


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    client = entry.text("clientId")
    if not client:
        raise Refused("the stored login has no clientId", final=True)
    return form(
        _URL,
        {
            "grant_type": "refresh_token",
            "client_id": client,
            "refresh_token": entry.refresh,
            "resource": _RESOURCE,
        },
    )


def stored(entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    scopes = text(reply, "scope").split()
    if _SCOPE not in scopes:
        raise Refused(f"the reply lacks the scope {_SCOPE}", final=True)
    return {
        "type": "oauth",
        "access": text(reply, "access_token"),
        "refresh": text_or(reply, "refresh_token", entry.refresh),
        "expires": expiry(now_ms, lifetime(reply), 3 * MINUTE_MS),
        "clientId": entry.text("clientId"),
        "scopes": scopes,
    }
