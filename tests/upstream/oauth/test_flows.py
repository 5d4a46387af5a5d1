"""Each row of pi-on-disk.md, 4.2: the exact request, and what is stored in which order."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest

from piproxy.pi.auth_entry import OAuthEntry, read_entry
from piproxy.pi.environment import OAUTH
from piproxy.upstream.oauth.flows import FLOWS
from piproxy.upstream.oauth.parts import Context, Refused

NOW = 1_800_000_000_000


def codex_token(account: object = "acct-1") -> str:
    claims = json.dumps({"https://api.openai.com/auth": {"chatgpt_account_id": account}}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"


@dataclass(frozen=True)
class Row:
    provider: str
    url: str
    fields: Any
    reply: dict[str, Any]
    stored: dict[str, Any]
    entry: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    context: Context = field(default_factory=Context)
    form: bool = True
    method: str = "POST"


FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
TOKENS = {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600}

ROWS = [
    Row(
        provider="anthropic",
        url="https://platform.claude.com/v1/oauth/token",
        form=False,
        headers=JSON,
        fields={
            "grant_type": "refresh_token",
            "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
            "refresh_token": "r1",
        },
        reply=TOKENS,
        stored={"type": "oauth", "refresh": "r2", "access": "a2", "expires": NOW + 3_600_000 - 300_000},
    ),
    Row(
        provider="openai-codex",
        url="https://auth.openai.com/oauth/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        fields=[
            ("grant_type", "refresh_token"),
            ("refresh_token", "r1"),
            ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ],
        reply={**TOKENS, "access_token": codex_token()},
        stored={
            "type": "oauth",
            "access": codex_token(),
            "refresh": "r2",
            "expires": NOW + 3_600_000,
            "accountId": "acct-1",
        },
    ),
    Row(
        provider="openai",
        url="https://auth.openai.com/api/accounts/oauth/token",
        headers=FORM,
        entry={"clientId": "issued"},
        fields=[
            ("grant_type", "refresh_token"),
            ("client_id", "issued"),
            ("refresh_token", "r1"),
            ("resource", "https://api.openai.com/v1"),
        ],
        reply={**TOKENS, "scope": "openid chatgpt.tokens.use.direct"},
        stored={
            "type": "oauth",
            "access": "a2",
            "refresh": "r2",
            "expires": NOW + 3_600_000 - 180_000,
            "clientId": "issued",
            "scopes": ["openid", "chatgpt.tokens.use.direct"],
        },
    ),
    Row(
        provider="xai",
        url="https://auth.x.ai/oauth2/token",
        headers=FORM,
        fields=[
            ("grant_type", "refresh_token"),
            ("client_id", "b1a00492-073a-47ea-816f-4c329264a828"),
            ("refresh_token", "r1"),
        ],
        reply={"access_token": "a2"},
        stored={"type": "oauth", "access": "a2", "refresh": "r1", "expires": NOW + 3_600_000 - 300_000},
    ),
    Row(
        provider="kimi-coding",
        url="https://auth.kimi.com/api/oauth/token",
        headers=FORM,
        fields=[
            ("client_id", "17e5f671-d194-4dfb-9706-5516cb48c098"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "r1"),
        ],
        reply=TOKENS,
        stored={"type": "oauth", "access": "a2", "refresh": "r2", "expires": NOW + 3_600_000},
    ),
    Row(
        provider="kimi-coding",
        url="https://kimi.example/api/oauth/token",
        headers=FORM,
        context=Context({"KIMI_CODE_OAUTH_HOST": "https://kimi.example/", "KIMI_OAUTH_HOST": "https://other"}),
        fields=[
            ("client_id", "17e5f671-d194-4dfb-9706-5516cb48c098"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "r1"),
        ],
        reply=TOKENS,
        stored={"type": "oauth", "access": "a2", "refresh": "r2", "expires": NOW + 3_600_000},
    ),
    Row(
        provider="meta",
        url="https://api.meta.ai/muse-code/key",
        form=False,
        headers={**JSON, "Authorization": "Bearer r1", "x-api-version": "1.0.0"},
        fields={},
        reply={"api_key": "a2"},
        stored={"type": "oauth", "refresh": "r1", "access": "a2", "expires": NOW + 86_400_000},
    ),
    Row(
        provider="radius",
        url="https://radius.pi.dev/v1/oauth/token",
        headers=FORM,
        fields=[("grant_type", "refresh_token"), ("client_id", "pi-gateway"), ("refresh_token", "r1")],
        reply={**TOKENS, "scope": "models"},
        stored={"type": "oauth", "access": "a2", "refresh": "r2", "expires": NOW + 3_540_000, "scope": "models"},
    ),
    Row(
        provider="radius",
        url="https://gw.example/v1/oauth/token",
        headers=FORM,
        context=Context(gateway="https://gw.example"),
        entry={"scope": "old", "gatewayConfig": {}},
        fields=[("grant_type", "refresh_token"), ("client_id", "pi-gateway"), ("refresh_token", "r1")],
        reply=TOKENS,
        stored={"type": "oauth", "access": "a2", "refresh": "r2", "expires": NOW + 3_540_000, "scope": "old"},
    ),
    Row(
        provider="github-copilot",
        method="GET",
        url="https://api.github.com/copilot_internal/v2/token",
        headers={
            "Accept": "application/json",
            "Authorization": "Bearer r1",
            "User-Agent": "GitHubCopilotChat/0.35.0",
            "Editor-Version": "vscode/1.107.0",
            "Editor-Plugin-Version": "copilot-chat/0.35.0",
            "Copilot-Integration-Id": "vscode-chat",
        },
        fields=[],
        reply={"token": "tid=x", "expires_at": 1_800_001_800},
        stored={"type": "oauth", "refresh": "r1", "access": "tid=x", "expires": 1_800_001_800_000 - 300_000},
    ),
]


def entry(extra: dict[str, Any]) -> OAuthEntry:
    read = read_entry({"type": "oauth", "access": "a1", "refresh": "r1", "expires": 1, **extra})
    assert isinstance(read, OAuthEntry)
    return read


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.provider)
def test_the_request_is_pis(row: Row) -> None:
    """Method, address, headers and body, fields in pi's order."""
    request = FLOWS[row.provider].request(entry(row.entry), row.context)
    assert (request.method, request.url, request.headers) == (row.method, row.url, row.headers)
    body = parse_qsl(request.body.decode()) if row.form else json.loads(request.body)
    assert body == row.fields
    assert "r1" not in repr(request)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.provider)
def test_the_reply_becomes_pis_entry(row: Row) -> None:
    """Members in pi's order; extras of the old entry that pi would lose are lost."""
    new = FLOWS[row.provider].stored(entry({**row.entry, "extra": 1}), row.reply, NOW)
    assert list(new.items()) == list(row.stored.items())
    assert isinstance(new["expires"], int)


NEEDED = [
    ("anthropic", ("access_token",)),
    ("openai-codex", ("access_token", "refresh_token")),
    ("openai", ("access_token", "scope")),
    ("xai", ("access_token",)),
    ("kimi-coding", ("access_token", "refresh_token")),
    ("meta", ("api_key",)),
    ("radius", ("access_token",)),
    ("github-copilot", ("token", "expires_at")),
]


@pytest.mark.parametrize(("provider", "name"), [(provider, name) for provider, names in NEEDED for name in names])
def test_a_reply_that_lacks_something_is_refused(provider: str, name: str) -> None:
    """Nothing half is stored."""
    row = next(row for row in ROWS if row.provider == provider)
    reply = {key: value for key, value in row.reply.items() if key != name}
    with pytest.raises(Refused, match=name):
        FLOWS[provider].stored(entry(row.entry), reply, NOW)


@pytest.mark.parametrize("provider", ["anthropic", "kimi-coding", "openai", "openai-codex", "radius", "xai"])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 3600),
        ({"expires_in": None}, 3600),
        ({"expires_in": "soon"}, 3600),
        ({"expires_in": True}, 3600),
        ({"expires_in": 1e300}, 3600),
        ({"expires_in": "7200"}, 7200),
        ({"expires_in": 7200.5}, 7200.5),
    ],
)
def test_a_reply_that_does_not_say_how_long_is_good_for_an_hour(
    provider: str, said: dict[str, Any], seconds: float
) -> None:
    """RFC 6749 does not demand it; what is stored is the same as for a reply that says so."""
    row = next(row for row in ROWS if row.provider == provider)
    reply = {key: value for key, value in row.reply.items() if key != "expires_in"}
    spoken = FLOWS[provider].stored(entry(row.entry), {**reply, "expires_in": seconds}, NOW)
    assert FLOWS[provider].stored(entry(row.entry), {**reply, **said}, NOW) == spoken


def test_a_codex_token_without_an_account_is_refused() -> None:
    """In pi's words."""
    with pytest.raises(Refused, match="Failed to extract accountId from token"):
        FLOWS["openai-codex"].stored(entry({}), {**TOKENS, "access_token": codex_token(account=None)}, NOW)


def test_an_openai_login_needs_its_client_and_its_scope() -> None:
    """Without them only a new login helps."""
    with pytest.raises(Refused, match="clientId") as caught:
        FLOWS["openai"].request(entry({}), Context())
    assert caught.value.final
    with pytest.raises(Refused, match=r"chatgpt\.tokens\.use\.direct"):
        FLOWS["openai"].stored(entry({"clientId": "c"}), {**TOKENS, "scope": "openid"}, NOW)


def test_an_openrouter_key_is_permanent() -> None:
    """It is returned unchanged and never renewed."""
    old = entry({"refresh": "", "expires": 9007199254740991})
    assert FLOWS["openrouter"].stored(old, {}, NOW) == old.raw
    with pytest.raises(Refused):
        FLOWS["openrouter"].request(old, Context())


def test_every_login_has_its_module() -> None:
    """Those of Copilot, Meta and OpenRouter keep their refresh token; Kimi's is tried again."""
    assert set(FLOWS) == set(OAUTH)
    assert {name for name, flow in FLOWS.items() if not flow.ROTATES} == {"github-copilot", "meta", "openrouter"}
    assert {name: flow.PAUSES for name, flow in FLOWS.items() if flow.PAUSES} == {"kimi-coding": (1.0, 2.0, 4.0)}
