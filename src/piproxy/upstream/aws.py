"""AWS keys and regions from botocore's chain: profiles, SSO, containers, web identity (wire-native-apis.md, 5.2)."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from piproxy.credential import AwsKeys
from piproxy.errors import CredentialError
from piproxy.pi.environment import value
from piproxy.upstream.tokens import RECENT

EXTRA: Final = "Install it with: pip install 'piproxy[aws]'."

DUMMY: Final = AwsKeys("dummy-access-key", "dummy-secret-key")
"""``AWS_BEDROCK_SKIP_AUTH=1``: for a proxy in between that signs by itself."""


def ambient(environ: Mapping[str, str]) -> AwsKeys:
    """The key pair of the environment, with the session token if there is one."""
    return AwsKeys(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], value(environ, "AWS_SESSION_TOKEN"))


class AwsChain:
    """botocore's credentials, one set per profile; it renews them by itself. Everything of it runs in a thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[str | None, Any] = {}
        self._credentials: dict[str | None, Any] = {}
        self._made: dict[str | None, float] = {}

    async def keys(self, profile: str | None) -> AwsKeys:
        """Keys of ``profile``, ``None``: of whatever the chain finds. Raises :class:`CredentialError`."""
        return await trio.to_thread.run_sync(self._keys, profile, abandon_on_cancel=True)

    async def region(self, profile: str) -> str | None:
        """The region that the profile names; ``None`` also when botocore is not installed."""
        return await trio.to_thread.run_sync(self._region, profile, abandon_on_cancel=True)

    def refused(self, profile: str | None) -> None:
        """AWS did not accept the keys: the profile's files, caches and servers are asked anew for the next ones."""
        if self._clock() - self._made.get(profile, -math.inf) >= RECENT:
            self._credentials.pop(profile, None)
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
                credentials = self._credentials[profile] = session.get_credentials()
                self._made[profile] = self._clock()
            if credentials is None:
                raise CredentialError(f"There are no keys in {whose}.")
            frozen = credentials.get_frozen_credentials()
        except (errors.BotoCoreError, errors.ClientError) as exc:
            self._credentials.pop(profile, None)
            raise CredentialError(
                f"No keys from {whose} ({type(exc).__name__}). If it uses SSO, run `aws sso login` again."
            ) from exc
        return AwsKeys(frozen.access_key, frozen.secret_key, frozen.token)

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
