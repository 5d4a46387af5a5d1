"""Google's application default credentials -> access tokens (wire-native-apis.md, 4)."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import trio

from piproxy import jsontext
from piproxy.errors import CredentialError, UpstreamError
from piproxy.jsontext import Json
from piproxy.pi.environment import value
from piproxy.upstream.fetching import Fetcher
from piproxy.upstream.oauth.parts import (
    Refused,
    TokenRequest,
    form,
    is_busy,
    may_pass,
    number,
    read_reply,
    text,
    text_or,
)
from piproxy.upstream.tokens import Token

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
EXTRA: Final = "Install it with: pip install 'piproxy[vertex]'."

_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_METADATA_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/token"
_JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AWS_TOKEN: Final = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - a type, no token
_LIFETIME: Final = 3600
_LOGIN: Final = "`gcloud auth application-default login`"


def user_request(account: Json) -> TokenRequest:
    """``authorized_user``: what ``gcloud auth application-default login`` leaves."""
    return form(
        _TOKEN_URL,
        {
            "grant_type": "refresh_token",
            "client_id": text(account, "client_id"),
            "client_secret": text(account, "client_secret"),
            "refresh_token": text(account, "refresh_token"),
        },
    )


def service_request(account: Json, now: float) -> TokenRequest:
    """``service_account``: a JWT signed with the account's own key, sent to the file's token address."""
    url = text_or(account, "token_uri", _TOKEN_URL)
    issued = int(now)
    claims = {
        "iss": text(account, "client_email"),
        "scope": SCOPE,
        "aud": url,
        "iat": issued,
        "exp": issued + _LIFETIME,
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": text_or(account, "private_key_id", "")}
    unsigned = b".".join(_base64url(jsontext.dump(part)) for part in (header, claims))
    signature = _base64url(_rs256(text(account, "private_key"), unsigned))
    return form(url, {"grant_type": _JWT_GRANT, "assertion": (unsigned + b"." + signature).decode()})


def metadata_request(environ: Mapping[str, str]) -> TokenRequest:
    """The metadata server of a Google machine."""
    host = value(environ, "GCE_METADATA_HOST") or "metadata.google.internal"
    return TokenRequest("GET", f"http://{host}{_METADATA_PATH}", {"Metadata-Flavor": "Google"})


async def fetch(http: Fetcher, file: str | None, environ: Mapping[str, str], now: float) -> Token:
    """A new token for the credentials in ``file``, ``None``: from the metadata server.

    Raises :class:`CredentialError`, which names the file and never its content.
    """
    source = file or "the metadata server"
    try:
        if file is None:
            return await _exchange(http, metadata_request(environ), now, {})
        account = jsontext.parse(await trio.Path(file).read_bytes())
        quota = text_or(account, "quota_project_id", "")
        headers = {"x-goog-user-project": quota} if quota else {}
        kind = text(account, "type")
        if kind == "authorized_user":
            return await _exchange(http, user_request(account), now, headers)
        if kind == "service_account":
            return await _exchange(http, service_request(account, now), now, headers)
        return await _by_google_auth(http, account, headers, kind)
    except OSError as exc:
        raise CredentialError(f"Cannot read Google's credentials {file}: {exc.strerror}.") from exc
    except (TypeError, ValueError) as exc:
        raise CredentialError(f"Google's credentials {file} cannot be used: not JSON, or a broken key.") from exc
    except (Refused, UpstreamError) as exc:
        passing = may_pass(exc)
        said = f"Google gave no token for {source}: {str(exc).rstrip('.')}."
        if file is not None:
            said += f" {'If that lasts, log' if passing else 'Log'} in again: {_LOGIN}."
        raise CredentialError(said, passing=passing) from exc


async def _exchange(http: Fetcher, asked: TokenRequest, now: float, headers: Mapping[str, str]) -> Token:
    answer = await http.fetch(asked.method, asked.url, headers=asked.headers, body=asked.body)
    reply = read_reply(answer.status, answer.body)
    return Token(text(reply, "access_token"), now + number(reply, "expires_in"), headers)


async def _by_google_auth(http: Fetcher, account: Json, headers: Mapping[str, str], kind: str) -> Token:
    """External accounts and impersonation are Google's own library's business; its requests go through ours."""
    try:
        errors: Any = importlib.import_module("google.auth.exceptions")
        load = _loader(account, kind)
    except ImportError as exc:
        raise CredentialError(f"Google credentials of type {kind} need google-auth. {EXTRA}") from exc
    transport = _Transport(http)

    def refresh() -> Token:
        credentials = load(account, scopes=[SCOPE])
        credentials.refresh(transport)
        return Token(credentials.token, credentials.expiry.replace(tzinfo=UTC).timestamp(), headers)

    try:
        return await trio.to_thread.run_sync(refresh, abandon_on_cancel=True)
    except errors.GoogleAuthError as exc:
        raise Refused(f"google-auth failed ({type(exc).__name__})", passing=is_busy(transport.status)) from exc


def _loader(account: Json, kind: str) -> Any:
    """google-auth's own loader of this type; its generic one is deprecated."""
    if kind == "impersonated_service_account":
        module: Any = importlib.import_module("google.auth.impersonated_credentials")
        return module.Credentials.from_impersonated_service_account_info
    if kind == "external_account_authorized_user":
        name = kind
    elif kind != "external_account":
        raise Refused(f"credentials of type {kind} are not known")
    elif account.get("subject_token_type") == _AWS_TOKEN:
        name = "aws"
    elif (account.get("credential_source") or {}).get("executable") is not None:
        name = "pluggable"
    else:
        name = "identity_pool"
    module = importlib.import_module(f"google.auth.{name}")
    return module.Credentials.from_info


class _Transport:
    """google-auth's ``Request`` on our one way out; called in a thread."""

    def __init__(self, http: Fetcher) -> None:
        self._http = http
        self.status = 0
        """Of the last answer."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_options: object,
    ) -> _Reply:
        del timeout  # the token cache has a budget around all of it
        content = body.encode() if isinstance(body, str) else body or b""
        return trio.from_thread.run(self._fetch, method, url, dict(headers or {}), content)

    async def _fetch(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        answer = await self._http.fetch(method, url, headers=headers, body=body)
        self.status = answer.status
        return _Reply(answer.status, answer.headers, answer.body)


class _Reply:
    """google-auth's ``Response``."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _rs256(key: str, message: bytes) -> bytes:
    try:
        serialization: Any = importlib.import_module("cryptography.hazmat.primitives.serialization")
        hashes: Any = importlib.import_module("cryptography.hazmat.primitives.hashes")
        padding: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.padding")
    except ImportError as exc:
        raise CredentialError(f"A Google service account needs the package cryptography. {EXTRA}") from exc
    signer = serialization.load_pem_private_key(key.encode(), None)
    signature: bytes = signer.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return signature


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
