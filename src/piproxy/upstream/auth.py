"""Credential + request -> the headers that are sent, and as whom the request speaks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from piproxy.credential import Credential
from piproxy.headers import get, layered, merge
from piproxy.model import Model
from piproxy.upstream.sigv4 import signature
from piproxy.wire.room import AuthScheme, Identity, WireRequest

CLAUDE_TOKEN: Final = "sk-ant-oat"  # noqa: S105 - the mark of such tokens, not one of them
OPENAI: Final = "https://api.openai.com/v1"
DEFAULT_REGION: Final = "us-east-1"


def sign(request: WireRequest, credential: Credential, *, now: datetime) -> dict[str, str]:
    """The final headers (wire-openai-family.md, 2.2).

    Lowest the key where the API wants it by default, then the room's headers, then the configured ones; names compare
    without case, ``None`` removes. So an ``Authorization`` of the user's replaces a default one. AWS signs last, over
    everything but what it signs with.
    """
    if request.auth == "aws" and credential.aws is not None:
        return _signed(request, credential, now)
    return merge(_default(request.auth, credential), _with_betas(request.headers, credential), credential.headers)


def identity(model: Model, credential: Credential) -> Identity:
    """``claude_code`` for a Claude subscription's token, ``chatgpt`` for a "Sign in with ChatGPT" token, else
    ``api_key``; told by the key, wherever it came from."""
    key = credential.api_key or ""
    if model.api == "anthropic-messages" and CLAUDE_TOKEN in key:
        return "claude_code"
    if model.provider == "openai" and model.base_url == OPENAI and key and not key.startswith("sk-"):
        return "chatgpt"
    return "api_key"


def _default(scheme: AuthScheme, credential: Credential) -> dict[str, str]:
    key = credential.api_key
    if key is None or scheme == "none":
        return {}
    if scheme in {"bearer", "aws"} or credential.bearer or (scheme == "x-api-key" and CLAUDE_TOKEN in key):
        return {"Authorization": f"Bearer {key}"}
    return {scheme: key}


def _with_betas(headers: Mapping[str, str | None], credential: Credential) -> Mapping[str, str | None]:
    if not credential.anthropic_betas:
        return headers
    present = [beta.strip() for beta in (get(headers, "anthropic-beta") or "").split(",")]
    betas = dict.fromkeys(beta for beta in (*present, *credential.anthropic_betas) if beta)
    return layered(headers, {"anthropic-beta": ",".join(betas)})


def _signed(request: WireRequest, credential: Credential, now: datetime) -> dict[str, str]:
    assert credential.aws is not None  # noqa: S101 - `sign` looked
    headers = merge(
        {name: value for name, value in layered(request.headers, credential.headers).items() if not _signs(name)}
    )
    region = request.region or credential.env.get("AWS_REGION") or DEFAULT_REGION
    return headers | signature(
        request.method, request.url, headers, request.body, credential.aws, region=region, now=now
    )


def _signs(name: str) -> bool:
    lower = name.lower()
    return lower in {"authorization", "host"} or lower.startswith("x-amz-")
