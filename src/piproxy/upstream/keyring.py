"""From what is configured to what authenticates one request: everything that needs files, time or the network."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import trio

from piproxy.credential import Credential
from piproxy.errors import CredentialError, InvalidRequest, ProviderError
from piproxy.headers import flaw, layered, trimmed
from piproxy.model import Model
from piproxy.pi import logins
from piproxy.pi.auth_entry import OAuthEntry
from piproxy.pi.auth_file import AuthFile
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.environment import SETTINGS, value
from piproxy.pi.login import Login
from piproxy.upstream import aws, google, workload
from piproxy.upstream.fetching import Fetcher
from piproxy.upstream.oauth import github_copilot, openai_codex
from piproxy.upstream.oauth.refresh import Refresher
from piproxy.upstream.tokens import Token, TokenCache

OVERRIDE: Final = "X-Pi-Upstream-Api-Key"

_VISIBLE: Final = tuple(dict.fromkeys(name for names in SETTINGS.values() for name in names))
"""Variables that rooms may see: none of them holds a secret."""


_OF_TOKENS: Final = re.compile(
    r"\b(token|session|credential|log[- ]?in)s?\b.{0,60}\b(expired|revoked|invalid|not valid|not be validated)"
    r"|\b(expired|revoked|invalid)\b.{0,30}\b(token|session|credential)",
    re.IGNORECASE | re.DOTALL,
)
"""How providers say with 403 that it is the token, and not what its owner may do."""


class Keyring:
    """Makes credentials. ``nursery`` must outlive all requests: token refreshes run in it."""

    def __init__(
        self,
        *,
        http: Fetcher,
        directory: AgentDirectory,
        environ: Mapping[str, str],
        nursery: trio.Nursery,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._environ = environ
        self._clock = clock
        self._ambient = {name: text.strip() for name in _VISIBLE if (text := value(environ, name)) is not None}
        self._tokens = TokenCache(nursery, clock)
        self._aws = aws.AwsChain(clock)
        self._refresher = Refresher(
            http=http, auth=AuthFile(directory.auth), environ=environ, nursery=nursery, clock=clock
        )

    async def credential(
        self,
        model: Model,
        login: Login,
        configured_headers: Mapping[str, str | None],
        *,
        override_key: str | None = None,
    ) -> Credential:
        """What authenticates one request to ``model``'s provider.

        ``configured_headers`` are pi's steps 4 to 7 (pi-on-disk.md, 8.3); those of the login (step 3) go below them. If
        they carry the login's stored token, because of ``authHeader``, they get the renewed one. Raises
        :class:`~piproxy.errors.CredentialError` with the next step for the user, and
        :class:`~piproxy.errors.InvalidRequest` for a client's key that cannot be one.
        """
        if override_key and override_key.strip() and not login.from_client:
            login = logins.resolve(login.provider, None, None, {**self._environ, **login.env}, override_key)
        login = _sendable_key(login)
        match login.kind:
            case "none":
                raise CredentialError(f"No credential for provider '{login.provider}': {login.problem}.")
            case "oauth":
                entry = await self._refresher.fresh(login)
                found = _of_oauth(login, entry)
                configured_headers = _renewed(configured_headers, login.key, entry.access)
            case "auth_token":
                found = Credential(headers=_bearer(login.key))
            case "workload_identity":
                token = await self._workload_token(model, login)
                found = Credential(headers=_bearer(token.value), anthropic_betas=(workload.BETA,))
            case "adc":
                token = await self._google_token(login)
                found = Credential(api_key=token.value, bearer=True, headers=dict(token.headers))
            case "aws_profile" | "aws_keys" | "aws_chain":
                found = await self._of_aws(login)
            case "api_key":
                found = _of_key(login)
        env = await self._env(login)
        if env.get("AWS_BEDROCK_SKIP_AUTH") == "1" and login.provider == "amazon-bedrock":
            found = Credential(aws=aws.DUMMY)
        headers = layered(found.headers, configured_headers)
        if login.provider == "openai-codex":  # the account and its token belong together
            headers = layered(configured_headers, found.headers)
        return replace(
            found,
            headers=_sendable(headers, login),
            env=env,
            base_url=found.base_url or login.base_url,
            from_client=login.from_client,
        )

    def refused(self, model: Model, login: Login, credential: Credential, error: ProviderError) -> None:
        """The provider did not accept ``credential``, which was made from ``login``.

        What was kept in memory to make it is forgotten, so that the next one is made anew: tokens of Google and of
        workload identity, AWS keys, the token of a stored login. A key is what it is.
        """
        match login.kind:
            case "oauth" if error.upstream_status == 401 or _OF_TOKENS.search(error.message):
                self._refresher.refused(login, credential.secrets)
            case "workload_identity":
                self._tokens.refused(_workload_key(model, login))
            case "adc":
                self._tokens.refused(_google_key(login))
            case "aws_profile" | "aws_chain":
                self._aws.refused(login.env.get("AWS_PROFILE"))

    async def _env(self, login: Login) -> Mapping[str, str]:
        stored = {name: text.strip() for name, text in login.env.items() if name in _VISIBLE and text.strip()}
        env = self._ambient | stored
        profile = self._ambient.get("AWS_PROFILE")
        if login.provider == "amazon-bedrock" and profile and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & env.keys():
            region = await self._aws.region(env["AWS_PROFILE"])
            if region:
                env["AWS_REGION"] = region
        return env

    async def _of_aws(self, login: Login) -> Credential:
        if login.kind == "aws_keys":
            return Credential(aws=aws.ambient(self._environ))
        return Credential(aws=await self._aws.keys(login.env.get("AWS_PROFILE")))

    async def _workload_token(self, model: Model, login: Login) -> Token:
        if login.file is None:
            raise CredentialError("ANTHROPIC_IDENTITY_TOKEN_FILE is not set.")
        fetch = partial(self._exchange_workload, model.base_url, login.file, login.env)
        return await self._tokens.get(_workload_key(model, login), fetch)

    async def _exchange_workload(self, base_url: str, file: str, ids: Mapping[str, str]) -> Token:
        return await workload.exchange(self._http, base_url, file, ids, self._clock())

    async def _google_token(self, login: Login) -> Token:
        return await self._tokens.get(_google_key(login), partial(self._fetch_google, login.file))

    async def _fetch_google(self, file: str | None) -> Token:
        return await google.fetch(self._http, file, self._environ, self._clock())


def _workload_key(model: Model, login: Login) -> str:
    return f"{login.provider} at {model.base_url}"


def _google_key(login: Login) -> str:
    return login.file or "the metadata server"


def _of_key(login: Login) -> Credential:
    key = login.key
    if not key:
        raise CredentialError(f"No API key for provider '{login.provider}'.")
    if login.provider == "cloudflare-ai-gateway":
        gateway = {"cf-aig-authorization": f"Bearer {key}", "Authorization": None, "x-api-key": None}
        return Credential(headers=gateway)
    if login.provider == "openai-codex":
        account = openai_codex.account_id(key)
        if account is None and login.from_client:
            raise InvalidRequest("The key is not a ChatGPT access token.", param=OVERRIDE)
        if account is None:
            raise CredentialError(
                f"The key for openai-codex in {login.source} is not a ChatGPT access token. Log in instead: "
                "`pi auth login openai-codex`, and remove the key."
            )
        return Credential(api_key=key, bearer=True, headers={**_bearer(key), "chatgpt-account-id": account})
    return Credential(api_key=key, bearer=login.provider == "github-copilot")


def _of_oauth(login: Login, entry: OAuthEntry) -> Credential:
    access = entry.access
    match login.flow:
        case "openai-codex":
            account = entry.text("accountId") or openai_codex.account_id(access)
            if not account:
                raise CredentialError(
                    "The stored ChatGPT login names no account. Log in again: `pi auth login openai-codex`."
                )
            headers: Mapping[str, str | None] = {**_bearer(access), "chatgpt-account-id": account}
            return Credential(api_key=access, bearer=True, headers=headers, oauth=True)
        case "github-copilot":
            return Credential(api_key=access, bearer=True, base_url=github_copilot.base_url(entry), oauth=True)
        case "kimi-coding":
            return Credential(headers=_bearer(access), oauth=True)
        case _:
            return Credential(api_key=access, bearer=login.flow == "anthropic", oauth=True)


def _bearer(token: str | None) -> dict[str, str | None]:
    return {"Authorization": f"Bearer {token}"}


def _sendable_key(login: Login) -> Login:
    """With its key as it is sent."""
    if login.key is None:
        return login
    why = flaw(login.key)
    if why and login.from_client:
        raise InvalidRequest(f"The key cannot be sent to the provider: {why}.", param=OVERRIDE)
    if why:
        raise CredentialError(f"The key for provider '{login.provider}' ({login.source}) cannot be sent: {why}.")
    return replace(login, key=trimmed(login.key))


def _sendable(headers: Mapping[str, str | None], login: Login) -> Mapping[str, str | None]:
    for name, text in headers.items():
        why = flaw(text, name) if text is not None else None
        if why:
            raise CredentialError(f"The header {name!r} for provider '{login.provider}' cannot be sent: {why}.")
    return {name: text if text is None else trimmed(text) for name, text in headers.items()}


def _renewed(headers: Mapping[str, str | None], old: str | None, new: str) -> Mapping[str, str | None]:
    stale = f"Bearer {old}"
    return {name: f"Bearer {new}" if text == stale else text for name, text in headers.items()}
