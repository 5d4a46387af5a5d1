from __future__ import annotations

import pytest
from fakes.completions import chat, model

from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options, WireRequest


def built(to: Model, **env: str) -> WireRequest:
    return build_request(chat(), to, Options(env=env))


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h", "https://h/chat/completions"),
        ("https://h/v1?api-version=1&x=y", "https://h/v1/chat/completions?api-version=1&x=y"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
    ],
)
def test_path_is_joined(base: str, url: str) -> None:
    """The path follows the base; a query stays at the end."""
    assert built(model(base_url=base)).url == url


CLOUDFLARE = "https://gateway.ai.cloudflare.com/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/compat"


def test_placeholders() -> None:
    """Names in braces come from the provider's variables."""
    found = built(
        model("cloudflare-ai-gateway", CLOUDFLARE), CLOUDFLARE_ACCOUNT_ID="acc", CLOUDFLARE_GATEWAY_ID=" gate "
    )
    assert found.url == "https://gateway.ai.cloudflare.com/v1/acc/gate/compat/chat/completions"


def test_missing_placeholder() -> None:
    """A name that is not set is an error that says which."""
    with pytest.raises(CredentialError, match="CLOUDFLARE_GATEWAY_ID") as error:
        built(model("cloudflare-ai-gateway", CLOUDFLARE), CLOUDFLARE_ACCOUNT_ID="acc")
    assert "CLOUDFLARE_ACCOUNT_ID" not in error.value.message


@pytest.mark.parametrize(
    ("env", "base", "url"),
    [
        ({"AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com"}, "", "https://r.openai.azure.com/openai/v1"),
        ({"AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com/openai/"}, "", "https://r.openai.azure.com/openai/v1"),
        ({"AZURE_OPENAI_BASE_URL": "https://r.services.ai.azure.com/openai/v1/responses?x=1"}, "",
         "https://r.services.ai.azure.com/openai/v1"),
        ({"AZURE_OPENAI_RESOURCE_NAME": "res"}, "", "https://res.openai.azure.com/openai/v1"),
        ({"AZURE_OPENAI_RESOURCE_NAME": "res", "AZURE_OPENAI_BASE_URL": "https://p.example/azure/v1"}, "",
         "https://p.example/azure/v1"),
        ({}, "https://own.openai.azure.com/openai/v1", "https://own.openai.azure.com/openai/v1"),
    ],
)  # fmt: skip
def test_azure(env: dict[str, str], base: str, url: str) -> None:
    """Azure's address comes from its variables, in whichever form it is written; the key is a bearer token."""
    found = built(model("azure", base), **env)
    assert found.url == f"{url}/chat/completions"
    assert found.auth == "bearer"


def test_azure_deployment() -> None:
    """The deployment name replaces the model's id where the map has one."""
    env = {"AZURE_OPENAI_RESOURCE_NAME": "r", "AZURE_OPENAI_DEPLOYMENT_NAME_MAP": "x=y, m = my-deployment"}
    assert b'"model":"my-deployment"' in built(model("azure", ""), **env).body
    assert b'"model":"other"' in built(model("azure", "", id="other"), **env).body


def test_classic_azure() -> None:
    """The older address names the deployment, keeps its version, and takes the key in its own header."""
    base = "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21"
    found = built(model("mine", base))
    assert found.url == "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"
    assert found.auth == "api-key"


@pytest.mark.parametrize("provider", ["azure", "mine"])
def test_no_address(provider: str) -> None:
    """Without any address the error says what to set."""
    with pytest.raises(CredentialError, match=r"AZURE_OPENAI_BASE_URL|baseUrl"):
        built(model(provider, ""))
