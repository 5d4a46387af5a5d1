from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy.chat import Chat, Tool, UserMessage
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.openai_responses.azure.request import base_url, build_request, deployment
from piproxy.wire.room import Options

MODEL = Model(provider="azure", id="gpt-5.6", api="azure-openai-responses", base_url="", reasoning=True)
CHAT = Chat(
    model="m",
    messages=(UserMessage("Hi"),),
    tools=(Tool("f"),),
    service_tier="flex",
    prompt_cache_retention="24h",
    given=("service_tier", "prompt_cache_retention"),
)
ENV = {"AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com"}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("https://r.openai.azure.com", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/openai", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1"),
        ("https://r.openai.azure.com/openai/v1?api-version=x", "https://r.openai.azure.com/openai/v1"),
        ("https://r.services.ai.azure.com/openai/v1/responses", "https://r.services.ai.azure.com/openai/v1"),
        ("https://r.cognitiveservices.azure.com", "https://r.cognitiveservices.azure.com/openai/v1"),
        (
            "https://r.openai.azure.com/openai/deployments/x?api-version=2024-10-21",
            "https://r.openai.azure.com/openai/v1",
        ),
        ("https://proxy.example/azure/v1", "https://proxy.example/azure/v1"),
        ("https://proxy.example/azure/v1/", "https://proxy.example/azure/v1"),
    ],
)
def test_addresses(given: str, want: str) -> None:
    """Azure's own hosts are brought to the one path that works; others are left alone."""
    assert base_url(MODEL, {"AZURE_OPENAI_BASE_URL": given}) == want


@pytest.mark.parametrize(
    ("env", "model_url", "want"),
    [
        (
            {"AZURE_OPENAI_BASE_URL": "https://a.example", "AZURE_OPENAI_RESOURCE_NAME": "r"},
            "https://b.example",
            "https://a.example",
        ),
        ({"AZURE_OPENAI_RESOURCE_NAME": "r"}, "https://b.example", "https://r.openai.azure.com/openai/v1"),
        ({}, "https://b.example", "https://b.example"),
    ],
)
def test_the_address_is_looked_for_in_order(env: dict[str, str], model_url: str, want: str) -> None:
    """Base URL, resource name, model."""
    model = Model(provider="azure", id="m", api="azure-openai-responses", base_url=model_url)
    assert base_url(model, env) == want


def test_without_an_address_the_user_learns_what_to_set() -> None:
    """The error names the variables."""
    with pytest.raises(CredentialError, match="AZURE_OPENAI_BASE_URL or AZURE_OPENAI_RESOURCE_NAME"):
        base_url(MODEL, {})


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", "gpt-5.6"),
        ("x=y", "gpt-5.6"),
        (" x=y , gpt-5.6 = mine ", "mine"),
        ("gpt-5.6=", "gpt-5.6"),
        ("gpt-5.6", "gpt-5.6"),
    ],
)
def test_deployments(text: str, want: str) -> None:
    """A map of names, with blanks allowed; without an entry the model's own id."""
    assert deployment("gpt-5.6", {"AZURE_OPENAI_DEPLOYMENT_NAME_MAP": text}) == want


def test_the_request() -> None:
    """Key header, version and deployment are Azure's; storing, tiers and retention of our own are left out."""
    env = ENV | {"AZURE_OPENAI_API_VERSION": "2025 preview", "AZURE_OPENAI_DEPLOYMENT_NAME_MAP": "gpt-5.6=mine"}
    request = build_request(CHAT, MODEL, Options(env=env, session_id="s", cache="long"))
    body: dict[str, Any] = json.loads(request.body)
    assert request.url == "https://r.openai.azure.com/openai/v1/responses?api-version=2025%20preview"
    assert request.auth == "api-key"
    assert request.headers == {"accept": "application/json", "content-type": "application/json"}
    assert request.dropped == ("service_tier",)
    assert body["model"] == "mine"
    assert body["store"] is False
    assert body["prompt_cache_key"] == "s"
    assert body["prompt_cache_retention"] == "24h"
    assert body["tools"][0]["strict"] is False
    assert "service_tier" not in body


def test_the_usual_version() -> None:
    """``v1`` where nothing is set."""
    assert build_request(CHAT, MODEL, Options(env=ENV)).url.endswith("/openai/v1/responses?api-version=v1")
