"""What a provider's error means for the credential that the provider was asked with."""

from __future__ import annotations

from piproxy.credential import Credential
from piproxy.errors import PiproxyError, ProviderError
from piproxy.redact import conceal


def refuses(error: ProviderError, credential: Credential) -> bool:
    """The answer itself, not an error in its stream, says that our own credential does not count."""
    return error.upstream_status is not None and error.code == "upstream_auth_error" and not credential.from_client


def blamed(error: ProviderError, credential: Credential) -> ProviderError:
    """A key that the client gave and the provider refuses is the client's fault, not ours."""
    if error.code == "upstream_auth_error" and credential.from_client:
        return ProviderError(
            error.message,
            upstream_status=error.upstream_status,
            status=error.upstream_status if error.upstream_status in (401, 403) else 401,
            type="invalid_request_error",
            code="invalid_api_key",
        )
    return error


def conceal_in(error: PiproxyError, secrets: tuple[str, ...]) -> None:
    """Some providers repeat the key, the one that they refuse above all."""
    error.message = conceal(error.message, secrets)
    error.code = error.code and conceal(error.code, secrets)
    error.param = error.param and conceal(error.param, secrets)
    error.headers = {name: conceal(value, secrets) for name, value in error.headers.items()}
