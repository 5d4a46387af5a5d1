"""Anthropic's workload identity federation: an identity token in a file buys an access token (pi-on-disk.md, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from piproxy import jsontext
from piproxy.errors import CredentialError, UpstreamError
from piproxy.upstream.fetching import Fetcher
from piproxy.upstream.oauth.parts import Refused, TokenRequest, json_post, may_pass, number, read_reply, text
from piproxy.upstream.tokens import Token

BETA: Final = "oauth-2025-04-20"
"""Goes with every request that uses the token."""

_EXCHANGE_BETAS: Final = {"anthropic-beta": f"{BETA},oidc-federation-2026-04-01"}
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LARGEST: Final = 16 * 1024
_FIELDS: Final = {
    "federation_rule_id": "ANTHROPIC_FEDERATION_RULE_ID",
    "organization_id": "ANTHROPIC_ORGANIZATION_ID",
    "service_account_id": "ANTHROPIC_SERVICE_ACCOUNT_ID",
    "workspace_id": "ANTHROPIC_WORKSPACE_ID",
}


def request(base_url: str, assertion: str, ids: Mapping[str, str]) -> TokenRequest:
    """The exchange. Raises :class:`Refused` for an address that is not https."""
    if not base_url.startswith("https://"):
        raise Refused("workload identity needs an https address")
    body = {"grant_type": _GRANT, "assertion": assertion}
    body |= {name: ids[variable] for name, variable in _FIELDS.items() if variable in ids}
    return json_post(f"{base_url.rstrip('/')}/v1/oauth/token", body, _EXCHANGE_BETAS)


async def exchange(http: Fetcher, base_url: str, file: str, ids: Mapping[str, str], now: float) -> Token:
    """A new token; the file is read each time, as its owner renews it. Raises :class:`CredentialError`."""
    try:
        content = await trio.Path(file).read_bytes()
    except OSError as exc:
        raise CredentialError(f"Cannot read the identity token {file}: {exc.strerror}.") from exc
    try:
        return await _exchange(http, request(base_url, _assertion(content, Path(file)), ids), now)
    except (Refused, UpstreamError) as exc:
        said = f"Anthropic's workload identity exchange failed: {str(exc).rstrip('.')}."
        raise CredentialError(said, passing=may_pass(exc)) from exc


async def _exchange(http: Fetcher, asked: TokenRequest, now: float) -> Token:
    answer = await http.fetch(asked.method, asked.url, headers=asked.headers, body=asked.body)
    reply: jsontext.Json = read_reply(answer.status, answer.body)
    return Token(text(reply, "access_token"), now + number(reply, "expires_in"))


def _assertion(content: bytes, file: Path) -> str:
    if len(content) > _LARGEST:
        raise Refused(f"{file} is larger than 16 KiB")
    assertion = content.decode(errors="replace").strip()
    if not assertion:
        raise Refused(f"{file} is empty")
    return assertion
