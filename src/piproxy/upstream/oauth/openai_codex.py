"""ChatGPT plans through Codex (pi-on-disk.md, 4.2; wire-openai-family.md, 6)."""

from __future__ import annotations

from typing import Final

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import Context, Entry, Refused, TokenRequest, expiry, form, jwt_claims, lifetime, text

ROTATES: Final = True
PAUSES: Final = ()

_URL: Final = "https://auth.openai.com/oauth/token"
_CLIENT: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
_CLAIM: Final = "https://api.openai.com/auth"


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    fields = {"grant_type": "refresh_token", "refresh_token": entry.refresh, "client_id": _CLIENT}
    return form(_URL, fields, accept=False)


def stored(_entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
    access = text(reply, "access_token")
    account = account_id(access)
    if account is None:
        raise Refused("Failed to extract accountId from token")
    return {
        "type": "oauth",
        "access": access,
        "refresh": text(reply, "refresh_token"),
        "expires": expiry(now_ms, lifetime(reply)),
        "accountId": account,
    }


def account_id(access: str) -> str | None:
    """The ChatGPT account that an access token belongs to."""
    claims = jwt_claims(access)
    of_openai = claims.get(_CLAIM) if isinstance(claims, dict) else None
    account = of_openai.get("chatgpt_account_id") if isinstance(of_openai, dict) else None
    return account if isinstance(account, str) and account else None
