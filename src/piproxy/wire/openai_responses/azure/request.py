"""Chat -> one request to Azure's ``/responses`` (wire reference, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from piproxy.chat import Chat
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.openai_responses import address
from piproxy.wire.openai_responses.dialect import NO_PLACE, Dialect
from piproxy.wire.openai_responses.request import common_body, dropped, encoded, notes
from piproxy.wire.room import Options, WireRequest

_AZURE: Final = Dialect(no_place=NO_PLACE | {"service_tier"}, strict_mode=True, cache_options=False)
_HOSTS: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com")
_PATH: Final = "/openai/v1"


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """Raises :class:`~piproxy.errors.CredentialError` if no address is configured."""
    body = common_body(chat, model, options, _AZURE, messages=chat.messages)
    body["model"] = deployment(model.id, options.env)
    version = options.env.get("AZURE_OPENAI_API_VERSION") or "v1"
    return WireRequest(
        url=f"{base_url(model, options.env)}/responses?api-version={quote(version)}",
        body=encoded(body),
        headers=address.headers(chat, model, options),
        auth="api-key",
        dropped=dropped(chat, model, _AZURE),
        notes=notes(chat, model, options),
    )


def base_url(model: Model, env: Mapping[str, str]) -> str:
    """The configured address, without a slash at the end; Azure's own hosts are brought to ``/openai/v1``."""
    resource = env.get("AZURE_OPENAI_RESOURCE_NAME", "").strip()
    given = (
        env.get("AZURE_OPENAI_BASE_URL", "").strip()
        or (f"https://{resource}.openai.azure.com{_PATH}" if resource else "")
        or model.base_url.strip()
    )
    if not given:
        raise CredentialError(
            "Azure OpenAI has no address: set AZURE_OPENAI_BASE_URL or AZURE_OPENAI_RESOURCE_NAME.",
        )
    parts = urlsplit(given)
    path = parts.path.rstrip("/")
    if (parts.hostname or "").endswith(_HOSTS):
        ours = path in ("", "/openai", f"{_PATH}/responses") or path.startswith("/openai/deployments/")
        parts = parts._replace(path=_PATH if ours else path, query="", fragment="")
    else:
        parts = parts._replace(path=path)
    return urlunsplit(parts)


def deployment(model_id: str, env: Mapping[str, str]) -> str:
    """The deployment's name: ``AZURE_OPENAI_DEPLOYMENT_NAME_MAP`` (``model=deployment,…``), else the model's own."""
    for entry in env.get("AZURE_OPENAI_DEPLOYMENT_NAME_MAP", "").split(","):
        name, _, deployed = entry.partition("=")
        if name.strip() == model_id and deployed.strip():
            return deployed.strip()
    return model_id
