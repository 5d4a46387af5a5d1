from __future__ import annotations

from typing import Any

import pytest

from piproxy.pi.auth_entry import OAuthEntry
from piproxy.upstream.oauth.github_copilot import (
    INDIVIDUAL,
    base_url,
    enterprise_host,
    models_request,
    request,
    stored,
    with_models,
)
from piproxy.upstream.oauth.parts import Context, Refused


def entry(access: str = "tid=x", enterprise: object = None) -> OAuthEntry:
    return OAuthEntry(access, "ghu_1", 1, {} if enterprise is None else {"enterpriseUrl": enterprise})


@pytest.mark.parametrize(
    ("access", "enterprise", "url"),
    [
        ("tid=x;exp=1", None, INDIVIDUAL),
        ("tid=x;proxy-ep=proxy.business.githubcopilot.com;sku=y", None, "https://api.business.githubcopilot.com"),
        ("proxy-ep=proxy.individual.githubcopilot.com", "corp.ghe.com", INDIVIDUAL),
        ("tid=x;proxy-ep=copilot.corp.example", None, "https://copilot.corp.example"),
        ("tid=x", "corp.ghe.com", "https://copilot-api.corp.ghe.com"),
        ("tid=x", "https://corp.ghe.com/login?x", "https://copilot-api.corp.ghe.com"),
    ],
)
def test_the_token_names_its_address(access: str, enterprise: str | None, url: str) -> None:
    """Else the enterprise does, else it is the individual one."""
    assert base_url(entry(access, enterprise)) == url


@pytest.mark.parametrize(("value", "host"), [("", ""), (5, ""), ("CORP.ghe.com", "corp.ghe.com"), ("http://[x", "")])
def test_an_enterprise_may_be_a_name_or_a_url(value: object, host: str) -> None:
    """Anything else is none."""
    assert enterprise_host(entry(enterprise=value)) == host


def test_an_enterprise_has_its_own_token_address_and_keeps_its_name() -> None:
    """Stored as the plain host, after the expiry."""
    old = entry(enterprise="https://corp.ghe.com/")
    assert request(old, Context()).url == "https://api.corp.ghe.com/copilot_internal/v2/token"
    new = stored(old, {"token": "t", "expires_at": 1000}, 0)
    assert list(new.items())[-1] == ("enterpriseUrl", "corp.ghe.com")


def test_the_models_are_asked_for_with_the_new_token() -> None:
    """At the address that it names, with the version header."""
    asked = models_request(entry("tid=x;proxy-ep=proxy.business.githubcopilot.com"))
    assert (asked.method, asked.url) == ("GET", "https://api.business.githubcopilot.com/models")
    assert asked.headers["Authorization"] == "Bearer tid=x;proxy-ep=proxy.business.githubcopilot.com"
    assert asked.headers["X-GitHub-Api-Version"] == "2026-06-01"
    assert asked.headers["Copilot-Integration-Id"] == "vscode-chat"


def model(name: str, *, tools: object = True, picker: object = True, policy: str | None = None) -> dict[str, Any]:
    return {
        "id": name,
        "capabilities": {"supports": {"tool_calls": tools}},
        "model_picker_enabled": picker,
        **({"policy": {"state": policy}} if policy else {}),
    }


LIST = [
    model("plain"),
    model("enabled", policy="enabled"),
    model("disabled", policy="disabled"),
    model("no tools", tools=False),
    model("unsaid", tools=None),
    model("hidden", picker=False, policy="enabled"),
    {"id": "bare", "model_picker_enabled": True},
    {"id": 5},
    "junk",
]


def test_models_without_tools_not_offered_or_disabled_are_dropped() -> None:
    """What is left becomes availableModelIds, at the end of the entry."""
    new = with_models({"type": "oauth"}, INDIVIDUAL, {"data": LIST})
    assert new == {"type": "oauth", "availableModelIds": ["plain", "enabled", "unsaid", "bare"]}


@pytest.mark.parametrize(("base", "ids"), [(INDIVIDUAL, ["b"]), ("https://api.business.githubcopilot.com", [])])
def test_an_individual_plan_without_offers_has_the_enabled_ones(base: str, ids: list[str]) -> None:
    """Only there."""
    models = [model("a", picker=False), model("b", picker=False, policy="enabled")]
    assert with_models({}, base, {"data": models})["availableModelIds"] == ids


@pytest.mark.parametrize("reply", [{}, {"data": {}}, None])
def test_a_list_that_is_none_fails_the_refresh(reply: object) -> None:
    """As in pi."""
    with pytest.raises(Refused):
        with_models({}, INDIVIDUAL, reply)
