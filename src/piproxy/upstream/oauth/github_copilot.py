"""GitHub Copilot: a GitHub token buys a short Copilot token, which names its own address (pi-on-disk.md, 4.2, 4.3)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.parts import ACCEPT_JSON, MINUTE_MS, Context, Entry, Refused, TokenRequest, number, text

ROTATES: Final = False
PAUSES: Final = ()

INDIVIDUAL: Final = "https://api.individual.githubcopilot.com"
_CLIENT_HEADERS: Final = {
    "User-Agent": "GitHubCopilotChat/0.35.0",
    "Editor-Version": "vscode/1.107.0",
    "Editor-Plugin-Version": "copilot-chat/0.35.0",
    "Copilot-Integration-Id": "vscode-chat",
}
_API_VERSION: Final = {"X-GitHub-Api-Version": "2026-06-01"}
_PROXY: Final = re.compile(r"(?:^|;)\s*proxy-ep=([^;\s]+)")


def request(entry: OAuthEntry, _context: Context) -> TokenRequest:
    domain = enterprise_host(entry) or "github.com"
    headers = {**ACCEPT_JSON, "Authorization": f"Bearer {entry.refresh}", **_CLIENT_HEADERS}
    return TokenRequest("GET", f"https://api.{domain}/copilot_internal/v2/token", headers)


def stored(entry: OAuthEntry, reply: Json, _now_ms: int) -> Entry:
    """Without ``availableModelIds``, which :func:`with_models` adds."""
    new: Entry = {
        "type": "oauth",
        "refresh": entry.refresh,
        "access": text(reply, "token"),
        "expires": int(number(reply, "expires_at") * 1000) - 5 * MINUTE_MS,
    }
    host = enterprise_host(entry)
    return new | {"enterpriseUrl": host} if host else new


def models_request(entry: OAuthEntry) -> TokenRequest:
    """The second call, made with the new token: which models this login may use."""
    headers = {**ACCEPT_JSON, "Authorization": f"Bearer {entry.access}", **_CLIENT_HEADERS, **_API_VERSION}
    return TokenRequest("GET", f"{base_url(entry)}/models", headers)


def with_models(new: Entry, base: str, reply: Json) -> Entry:
    """The new entry with the ids of the models that can be used for chat with tools."""
    items = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(items, list):
        raise Refused("the model list has no data")
    able = [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str) and _has_tools(item)]
    picked = [item["id"] for item in able if item.get("model_picker_enabled") is True and _policy(item) != "disabled"]
    if not picked and base == INDIVIDUAL:
        picked = [item["id"] for item in able if _policy(item) == "enabled"]
    return new | {"availableModelIds": picked}


def base_url(entry: OAuthEntry) -> str:
    """The address that the token, else the enterprise, dictates."""
    named = _PROXY.search(entry.access)
    if named:
        host = named[1]
        return f"https://{'api.' + host.removeprefix('proxy.') if host.startswith('proxy.') else host}"
    host = enterprise_host(entry)
    return f"https://copilot-api.{host}" if host else INDIVIDUAL


def enterprise_host(entry: OAuthEntry) -> str:
    """The host name in ``enterpriseUrl``, which may be a URL or a bare name; ``""`` without one."""
    value = entry.text("enterpriseUrl").strip()
    if not value:
        return ""
    try:
        return urlsplit(value if "://" in value else f"https://{value}").hostname or ""
    except ValueError:
        return ""


def _has_tools(item: dict[str, Json]) -> bool:
    supports = _object(_object(item.get("capabilities")).get("supports"))
    return supports.get("tool_calls") is not False


def _policy(item: dict[str, Json]) -> Json:
    return _object(item.get("policy")).get("state")


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
