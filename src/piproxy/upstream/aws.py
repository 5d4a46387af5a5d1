"""AWS keys and regions from botocore's chain: profiles, SSO, containers, web identity (wire-native-apis.md, 5.2)."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from piproxy.credential import AwsKeys
from piproxy.errors import CredentialError
from piproxy.pi.environment import value
from piproxy.pi.kept import Kept
from piproxy.upstream.oauth.parts import is_busy

EXTRA: Final = "Install it with: pip install 'piproxy[aws]'."

DUMMY: Final = AwsKeys("dummy-access-key", "dummy-secret-key")
"""``AWS_BEDROCK_SKIP_AUTH=1``: for a proxy in between that signs by itself."""


def ambient(environ: Mapping[str, str]) -> AwsKeys:
    """The key pair of the environment, with the session token if there is one."""
    return AwsKeys(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], value(environ, "AWS_SESSION_TOKEN"))


class AwsChain:
    """botocore's credentials, one set per profile; it renews them by itself. Everything of it runs in a thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._sessions: dict[str | None, Any] = {}
        self._credentials: Kept[str | None, Any] = Kept(clock)

    async def keys(self, profile: str | None) -> AwsKeys:
        """Keys of ``profile``, ``None``: of whatever the chain finds. Raises :class:`CredentialError`."""
        return await trio.to_thread.run_sync(self._keys, profile, abandon_on_cancel=True)

    async def region(self, profile: str) -> str | None:
        """The region that the profile names; ``None`` also when botocore is not installed."""
        return await trio.to_thread.run_sync(self._region, profile, abandon_on_cancel=True)

    def refused(self, profile: str | None) -> None:
        """AWS did not accept the keys: the profile's files, caches and servers are asked anew for the next ones."""
        if self._credentials.refused(profile):
            self._sessions.pop(profile, None)

    def _keys(self, profile: str | None) -> AwsKeys:
        session = self._session(profile)
        if session is None:
            raise CredentialError(f"AWS profiles, containers and web identities need botocore. {EXTRA}")
        errors: Any = importlib.import_module("botocore.exceptions")
        whose = f"the AWS profile '{profile}'" if profile else "the AWS credential chain"
        try:
            credentials = self._credentials.get(profile)
            if credentials is None:
                credentials = session.get_credentials()
                if credentials is None:
                    self._forget(profile)
                    raise CredentialError(f"There are no keys in {whose}.")
                self._credentials.put(profile, credentials)
            frozen = credentials.get_frozen_credentials()
        except (errors.BotoCoreError, errors.ClientError) as exc:
            self._forget(profile)
            raise CredentialError(
                f"No keys from {whose} ({type(exc).__name__}). If it uses SSO, run `aws sso login` again.",
                passing=_may_pass(exc, errors),
            ) from exc
        return AwsKeys(frozen.access_key, frozen.secret_key, frozen.token)

    def _forget(self, profile: str | None) -> None:
        """A session reads AWS's files once: the next one finds what the user has mended in them."""
        self._credentials.forget(profile)
        self._sessions.pop(profile, None)

    def _region(self, profile: str) -> str | None:
        session = self._session(profile)
        if session is None:
            return None
        errors: Any = importlib.import_module("botocore.exceptions")
        try:
            region: str | None = session.get_config_variable("region")
        except errors.BotoCoreError:
            return None
        return region

    def _session(self, profile: str | None) -> Any:
        if profile not in self._sessions:
            try:
                botocore: Any = importlib.import_module("botocore.session")
            except ImportError:
                return None
            self._sessions[profile] = botocore.Session(profile=profile)
        return self._sessions[profile]


def _may_pass(error: Any, errors: Any) -> bool:
    """No answer of AWS's servers, or a busy one's."""
    if isinstance(error, errors.ClientError):
        status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return is_busy(status)
    return isinstance(error, errors.HTTPClientError | errors.ConnectionError)
