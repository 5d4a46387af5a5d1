"""piproxy renews each login as the real pi does: the same requests, the same bytes stored, the same address after."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry, read_entry
from piproxy.pi.jsonfile import dump
from piproxy.upstream.oauth import github_copilot
from piproxy.upstream.oauth.flows import FLOWS
from piproxy.upstream.oauth.parts import Context, TokenRequest

NOW_MS = 1_800_000_000_000
TOKENS = {"access_token": "a2", "refresh_token": "r2", "expires_in": 3600, "token_type": "Bearer"}


def _codex_token() -> str:
    claims = json.dumps({"https://api.openai.com/auth": {"chatgpt_account_id": "acct-1"}}).encode()
    return f"h.{base64.b64encode(claims).decode()}.s"


@dataclass(frozen=True)
class Case:
    provider: str
    loader: str
    replies: list[Json]
    extra: Mapping[str, Json] = field(default_factory=dict)
    options: Mapping[str, str] | None = None
    since: str = "0.87.1"

    @property
    def credential(self) -> dict[str, Json]:
        return {"type": "oauth", "access": "a1", "refresh": "r1", "expires": 1, **self.extra, "other": 5}


def _copilot(name: str, *, token: str, picker: bool = True, **extra: Json) -> Case:
    model = {"id": "m", "model_picker_enabled": picker, "capabilities": {"supports": {"tool_calls": True}}}
    models = [
        model,
        {**model, "id": "disabled", "policy": {"state": "disabled"}},
        {**model, "id": "enabled", "policy": {"state": "enabled"}},
        {**model, "id": "toolless", "capabilities": {"supports": {"tool_calls": False}}},
        {**model, "id": "unsaid", "capabilities": {"supports": {}}},
    ]
    replies: list[Json] = [{"token": token, "expires_at": 1_800_001_800}, {"data": models}]
    return Case("github-copilot", name, replies, extra)


_COPILOT = "loadGitHubCopilotOAuth"
CASES = [
    Case("anthropic", "loadAnthropicOAuth", [TOKENS]),
    Case("openai-codex", "loadOpenAICodexOAuth", [{**TOKENS, "access_token": _codex_token()}]),
    Case(
        "openai",
        "loadOpenAIChatGPTOAuth",
        [{**TOKENS, "scope": "openid chatgpt.tokens.use.direct"}],
        {"clientId": "issued", "scopes": ["openid"]},
        since="1.5.2",
    ),
    Case("xai", "loadXaiOAuth", [TOKENS]),
    Case("xai", "loadXaiOAuth", [{"access_token": "a2"}]),
    Case("kimi-coding", "loadKimiCodingOAuth", [TOKENS]),
    Case("meta", "loadMetaOAuth", [{"api_key": "a2"}]),
    Case(
        "radius",
        "loadRadiusOAuth",
        [{**TOKENS, "scope": "models"}],
        options={"name": "R", "gateway": "https://gw.example"},
    ),
    _copilot(_COPILOT, token="tid=1;exp=2"),
    _copilot(_COPILOT, token="tid=1", picker=False),
    _copilot(_COPILOT, token="tid=1;proxy-ep=proxy.business.githubcopilot.com;sku=x", picker=False),
    _copilot(_COPILOT, token="tid=1", enterpriseUrl="https://corp.ghe.com/x"),
    _copilot(_COPILOT, token="tid=1", enterpriseUrl="corp.ghe.com"),
]


@pytest.mark.parametrize("version", ["0.87.1", "1.5.2"])
def test_every_login_is_renewed_alike(version: str, node: str, oauth_of: Callable[[str], Path]) -> None:
    """Method, address, headers, body; the entry with its members in order; the key and the address of requests."""
    cases = [case for case in CASES if case.since <= version]
    given = [
        {
            "loader": case.loader,
            "options": case.options,
            "credential": case.credential,
            "replies": case.replies,
        }
        for case in cases
    ]
    done = subprocess.run(
        [node, str(Path(__file__).with_name("refresh.mjs")), str(oauth_of(version)), str(NOW_MS)],
        input=json.dumps(given),
        capture_output=True,
        check=True,
        text=True,
    )
    theirs = json.loads(done.stdout)
    for case, result in zip(cases, theirs, strict=True):
        assert _ours(case) == _theirs(result), case
    print(f"\npi {version}: {len(cases)} refreshes of {len({case.provider for case in cases})} logins, all equal")


def _theirs(result: dict[str, Any]) -> dict[str, Any]:
    assert "error" not in result, result
    auth = result["auth"]
    bearer = auth.get("apiKey") or next(iter(auth["headers"].values())).removeprefix("Bearer ")
    asked = [_plain(one["method"], one["url"], one["headers"], one["body"]) for one in result["asked"]]
    return {"asked": asked, "stored": result["stored"], "key": bearer, "base_url": auth.get("baseUrl")}


def _ours(case: Case) -> dict[str, Any]:
    flow = FLOWS[case.provider]
    old = _entry(case.credential)
    asked = [flow.request(old, Context(gateway=(case.options or {}).get("gateway")))]
    new = flow.stored(old, case.replies[0], NOW_MS)
    base_url = None
    if case.provider == "github-copilot":
        base_url = github_copilot.base_url(_entry(new))
        asked.append(github_copilot.models_request(_entry(new)))
        new = github_copilot.with_models(new, base_url, case.replies[1])
    return {
        "asked": [_request(request) for request in asked],
        "stored": dump(new).decode(),
        "key": new["access"],
        "base_url": base_url,
    }


def _request(request: TokenRequest) -> dict[str, Any]:
    return _plain(request.method, request.url, request.headers, request.body.decode())


def _plain(method: str, url: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    return {"method": method, "url": url, "headers": {k.lower(): v for k, v in headers.items()}, "body": body}


def _entry(value: Json) -> OAuthEntry:
    entry = read_entry(value)
    assert isinstance(entry, OAuthEntry)
    return entry
