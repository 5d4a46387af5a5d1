"""Every provider of pi 1.5.2, from what is configured to the headers that are sent (issue: the house keys)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.fetcher import ScriptedFetcher

from piproxy.model import Model
from piproxy.pi.auth_entry import read_entry
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.environment import KEY_VARIABLES, OAUTH, PROVIDERS
from piproxy.pi.logins import resolve
from piproxy.upstream.auth import sign
from piproxy.upstream.keyring import Keyring
from piproxy.wire.room import AuthScheme, WireRequest

NOW = datetime(2026, 11, 22, tzinfo=UTC)

SCHEMES: dict[str, AuthScheme] = {
    "anthropic-messages": "x-api-key",
    "azure-openai-responses": "api-key",
    "bedrock-converse-stream": "aws",
    "google-generative-ai": "x-goog-api-key",
    "google-vertex": "x-goog-api-key",
}
"""Where an API wants its key; all others: bearer."""

APIS: dict[str, tuple[str, ...]] = {
    "amazon-bedrock": ("bedrock-converse-stream",),
    "anthropic": ("anthropic-messages",),
    "azure": ("azure-openai-responses", "openai-completions"),
    "cloudflare-ai-gateway": ("openai-responses", "openai-completions", "anthropic-messages"),
    "fireworks": ("anthropic-messages", "openai-completions"),
    "github-copilot": ("openai-responses", "anthropic-messages", "openai-completions"),
    "google": ("google-generative-ai",),
    "google-vertex": ("google-vertex",),
    "meta": ("openai-responses",),
    "minimax": ("anthropic-messages",),
    "minimax-cn": ("anthropic-messages",),
    "mistral": ("mistral-conversations",),
    "openai": ("openai-responses",),
    "openai-codex": ("openai-codex-responses",),
    "opencode": ("openai-responses", "openai-completions", "anthropic-messages", "google-generative-ai"),
    "opencode-go": ("openai-completions", "anthropic-messages", "openai-responses", "google-generative-ai"),
    "openrouter": ("openai-completions", "anthropic-messages"),
    "radius": ("pi-messages",),
    "typesafe": (),
    "vercel-ai-gateway": ("anthropic-messages",),
    "xai": ("openai-responses",),
}
"""The APIs of each provider (pi-on-disk.md, 3.1); all others: openai-completions."""

MORE = {"CLOUDFLARE_ACCOUNT_ID": "acc", "CLOUDFLARE_GATEWAY_ID": "gw"}

KEY_HEADERS = {
    "bearer": {"Authorization": "Bearer k3y"},
    "x-api-key": {"x-api-key": "k3y"},
    "api-key": {"api-key": "k3y"},
    "x-goog-api-key": {"x-goog-api-key": "k3y"},
    "aws": {"Authorization": "Bearer k3y"},
}
SPECIAL = {
    ("cloudflare-ai-gateway", api): {"cf-aig-authorization": "Bearer k3y"} for api in APIS["cloudflare-ai-gateway"]
} | {("github-copilot", api): {"Authorization": "Bearer k3y"} for api in APIS["github-copilot"]}


@dataclass(frozen=True)
class Case:
    provider: str
    api: str
    expected: dict[str, str]
    stored: Any = None
    environ: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        how = "stored" if self.stored else next(iter(self.environ))
        return f"{self.provider} {self.api} {how}"


def _key_cases() -> list[Case]:
    cases: list[Case] = []
    for provider in PROVIDERS:
        for api in APIS.get(provider, ("openai-completions",)):
            expected = SPECIAL.get((provider, api)) or KEY_HEADERS[SCHEMES.get(api, "bearer")]
            if provider == "openai-codex":
                continue
            stored = {"type": "api_key", "key": "k3y", "env": MORE if provider.startswith("cloudflare") else {}}
            cases.append(Case(provider, api, expected, stored))
            for variable in KEY_VARIABLES[provider]:
                bearer = variable == "ANTHROPIC_AUTH_TOKEN"
                headers = {"Authorization": "Bearer k3y"} if bearer else expected
                cases.append(Case(provider, api, headers, environ={variable: "k3y", **MORE}))
    return cases


def _token(account: str) -> str:
    claims = json.dumps({"https://api.openai.com/auth": {"chatgpt_account_id": account}}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"


def _oauth_cases() -> list[Case]:
    cases: list[Case] = []
    for provider in sorted(OAUTH):
        access = {"anthropic": "sk-ant-oat01-x", "openai-codex": _token("acct")}.get(provider, "t0ken")
        stored = {"type": "oauth", "access": access, "refresh": "r", "expires": 9007199254740991}
        for api in APIS.get(provider, ("openai-completions",)):
            expected = {"Authorization": f"Bearer {access}"}
            if provider == "openrouter" and api == "anthropic-messages":
                expected = {"x-api-key": access}
            if provider == "openai-codex":
                expected = {**expected, "chatgpt-account-id": "acct"}
            cases.append(Case(provider, api, expected, stored))
    return cases


CASES = _key_cases() + _oauth_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_from_what_is_configured_to_what_is_sent(case: Case, tmp_path: Path) -> None:
    """Exactly these headers, and the key in no other."""
    scheme = SCHEMES.get(case.api, "bearer")
    request = WireRequest(url="https://h.example/v1/x", body=b"{}", headers={"accept": "a"}, auth=scheme)
    model = Model(provider=case.provider, id="m", api=case.api, base_url="https://h.example/v1")
    entry = read_entry(case.stored) if case.stored else None
    login = resolve(case.provider, entry, None, case.environ)
    async with trio.open_nursery() as nursery:
        keyring = Keyring(
            http=ScriptedFetcher(), directory=AgentDirectory(tmp_path), environ=case.environ, nursery=nursery
        )
        credential = await keyring.credential(model, login, {})
    assert sign(request, credential, now=NOW) == {**case.expected, "accept": "a"}


def test_no_provider_is_left_out() -> None:
    """Every provider that serves chat models is walked, every login too."""
    walked = {case.provider for case in CASES}
    assert walked == set(PROVIDERS) - {"typesafe"}
    assert {case.provider for case in CASES if case.stored and case.stored["type"] == "oauth"} == OAUTH


async def test_bedrock_with_keys_is_signed(tmp_path: Path) -> None:
    """The one provider whose headers depend on the body."""
    environ = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
    model = Model(provider="amazon-bedrock", id="m", api="bedrock-converse-stream", base_url="https://h")
    login = resolve("amazon-bedrock", None, None, environ)
    async with trio.open_nursery() as nursery:
        keyring = Keyring(http=ScriptedFetcher(), directory=AgentDirectory(tmp_path), environ=environ, nursery=nursery)
        credential = await keyring.credential(model, login, {"X-Team": "t"})
    request = WireRequest(url="https://h.example/model/m/converse-stream", body=b"{}", headers={}, auth="aws")
    signed = sign(request, credential, now=NOW)
    assert signed["X-Team"] == "t"
    assert signed["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20261122/eu-west-1/bedrock/")
