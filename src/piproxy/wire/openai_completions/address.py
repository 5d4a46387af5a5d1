"""Where a request goes: the base URL with its placeholders, Azure's forms of it, and the path.

Sources: wire reference, 1 (Cloudflare), 2.1 (joining) and 5 (Azure).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from piproxy.errors import CredentialError
from piproxy.model import Model

_PLACEHOLDER: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_AZURE: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com")


@lru_cache(maxsize=256)
def endpoint(base_url: str) -> str:
    """``<base>/chat/completions``; a query of the base URL stays behind the path."""
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return urlunsplit(parts._replace(path=path))


def base_url(model: Model, env: Mapping[str, str], *, azure: bool) -> str:
    """The model's base URL, complete. Raises :class:`CredentialError` when a part of it is not configured."""
    url = _azure_base(model, env) if azure else model.base_url
    missing = [name for name in _PLACEHOLDER.findall(url) if not env.get(name)]
    if missing:
        raise CredentialError(
            f"The address of provider '{model.provider}' needs {' and '.join(missing)}: set it in the environment, "
            "or in `env` of the provider's entry in auth.json."
        )
    url = _PLACEHOLDER.sub(lambda found: env[found[1]].strip(), url)
    if not url:
        raise CredentialError(f"Provider '{model.provider}' has no base URL: set `baseUrl` in models.json.")
    return url


def deployment(model: Model, env: Mapping[str, str]) -> str:
    """Azure's name for the model: of ``AZURE_OPENAI_DEPLOYMENT_NAME_MAP`` (``id=name,…``), else the id."""
    for pair in env.get("AZURE_OPENAI_DEPLOYMENT_NAME_MAP", "").split(","):
        name, _, value = pair.partition("=")
        if name.strip() == model.id and value.strip():
            return value.strip()
    return model.id


@lru_cache(maxsize=256)
def classic_azure(url: str) -> bool:
    """An address of Azure's older API, with the deployment in the path: it takes the key as ``api-key`` only."""
    parts = urlsplit(url)
    return (parts.hostname or "").endswith(_AZURE) and "/openai/deployments/" in parts.path


def _azure_base(model: Model, env: Mapping[str, str]) -> str:
    own = model.provider in ("azure", "azure-openai-responses")
    resource = env.get("AZURE_OPENAI_RESOURCE_NAME", "").strip()
    url = (env.get("AZURE_OPENAI_BASE_URL", "").strip() if own else "") or (
        f"https://{resource}.openai.azure.com/openai/v1" if own and resource else model.base_url
    )
    if not url:
        raise CredentialError(
            f"Provider '{model.provider}' has no address: set AZURE_OPENAI_BASE_URL or AZURE_OPENAI_RESOURCE_NAME."
        )
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(_AZURE) and parts.path.rstrip("/") in (
        "",
        "/openai",
        "/openai/v1",
        "/openai/v1/responses",
        "/openai/v1/chat/completions",
    ):
        return urlunsplit(parts._replace(path="/openai/v1", query=""))
    return url
