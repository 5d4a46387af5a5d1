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

from piproxy.chat import Chat, UserMessage
from piproxy.pi.auth_entry import read_entry
from piproxy.pi.catalog import snapshot
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.environment import KEY_VARIABLES, OAUTH, PROVIDERS
from piproxy.pi.logins import resolve
from piproxy.upstream.auth import identity, sign
from piproxy.upstream.keyring import Keyring
from piproxy.wire.room import Options, WireRequest
from piproxy.wire.rooms import room_for

NOW = datetime(2026, 11, 22, tzinfo=UTC)

CATALOG = snapshot().models
FIRST = {(model.provider, model.api): model for models in CATALOG.values() for model in reversed(models)}
"""One model of every provider and API that the shipped catalog has."""

NAMES = {
    "anthropic-messages": "x-api-key",
    "azure-openai-responses": "api-key",
    "google-generative-ai": "x-goog-api-key",
    "google-vertex": "x-goog-api-key",
}
"""The header of an API's own; all others: Authorization."""

SECRETS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization", "chatgpt-account-id")

MORE = {
    "CLOUDFLARE_ACCOUNT_ID": "acc",
    "CLOUDFLARE_GATEWAY_ID": "gw",
    "AZURE_OPENAI_RESOURCE_NAME": "res",
}
"""What some providers need beside a key."""


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


def _usual(provider: str, api: str, key: str) -> dict[str, str]:
    if provider == "cloudflare-ai-gateway":
        return {"cf-aig-authorization": f"Bearer {key}"}
    if api in NAMES and provider != "github-copilot":
        return {NAMES[api]: key}
    return {"authorization": f"Bearer {key}"}


def _key_cases() -> list[Case]:
    cases: list[Case] = []
    for provider, api in FIRST:
        if provider == "openai-codex":
            continue
        usual = _usual(provider, api, "k3y")
        stored = {"type": "api_key", "key": "k3y", "env": MORE}
        cases.append(Case(provider, api, usual, stored))
        for variable in KEY_VARIABLES[provider]:
            bearer = {"authorization": "Bearer k3y"} if variable == "ANTHROPIC_AUTH_TOKEN" else usual
            cases.append(Case(provider, api, bearer, environ={variable: "k3y", **MORE}))
    return cases


def _token(account: str) -> str:
    claims = json.dumps({"https://api.openai.com/auth": {"chatgpt_account_id": account}}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.s"


def _oauth_cases() -> list[Case]:
    cases: list[Case] = []
    for provider, api in FIRST:
        if provider not in OAUTH:
            continue
        access = {"anthropic": "sk-ant-oat01-x", "openai-codex": _token("acct")}.get(provider, "t0ken")
        expected = _usual(provider, api, access)
        if provider == "anthropic":
            expected = {"authorization": f"Bearer {access}"}
        if provider == "openai-codex":
            expected["chatgpt-account-id"] = "acct"
        stored = {"type": "oauth", "access": access, "refresh": "r", "expires": 9007199254740991}
        cases.append(Case(provider, api, expected, stored))
    return cases


CASES = _key_cases() + _oauth_cases()


async def sent(case: Case, directory: Path) -> tuple[WireRequest, dict[str, str]]:
    """The request of the model's own room, and its signed headers."""
    model = FIRST[case.provider, case.api]
    login = resolve(case.provider, read_entry(case.stored) if case.stored else None, None, case.environ)
    async with trio.open_nursery() as nursery:
        keyring = Keyring(
            http=ScriptedFetcher(), directory=AgentDirectory(directory), environ=case.environ, nursery=nursery
        )
        credential = await keyring.credential(model, login, {"X-Team": "t"})
    options = Options(identity=identity(model, credential), env=credential.env)
    chat = Chat(model=model.canonical_id, messages=(UserMessage("hi"),))
    request = room_for(model.api).build_request(chat, model, options)
    return request, sign(request, credential, now=NOW)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_from_what_is_configured_to_what_is_sent(case: Case, tmp_path: Path) -> None:
    """The secret stands in exactly these headers, and neither in the address nor in the body."""
    request, signed = await sent(case, tmp_path)
    assert {name.lower(): value for name, value in signed.items() if name.lower() in SECRETS} == case.expected
    for secret in ("k3y", "t0ken", "sk-ant-oat"):
        others = {name: value for name, value in signed.items() if name.lower() not in SECRETS}
        assert secret not in f"{request.url} {request.body!r} {others}"
    assert signed["X-Team"] == "t"
    assert "{" not in request.url


def test_no_provider_is_left_out() -> None:
    """Every provider that serves chat models is walked, every login too."""
    walked = {case.provider for case in CASES}
    assert walked == set(PROVIDERS) - {"typesafe"}
    assert {case.provider for case in CASES if case.stored and case.stored["type"] == "oauth"} == OAUTH


async def test_bedrock_with_keys_is_signed(tmp_path: Path) -> None:
    """The one provider whose headers depend on the body."""
    environ = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
    case = Case("amazon-bedrock", "bedrock-converse-stream", {}, environ=environ)
    request, signed = await sent(case, tmp_path)
    assert request.url.startswith("https://bedrock-runtime.eu-west-1.amazonaws.com/model/")
    assert signed["X-Team"] == "t"
    assert signed["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20261122/eu-west-1/bedrock/")
