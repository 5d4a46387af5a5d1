"""Providers whose configuration is more than one key (pi-on-disk.md, 3.2). Pure; files are asked about, not read.

Every function answers for one provider: ``key`` is the stored or configured key, already expanded, ``None`` without
one; ``stored`` are the variables kept beside it; ``environ`` is the process environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os.path import isfile
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from piproxy.pi.environment import KEY_VARIABLES, SETTINGS, first, key_variables, value
from piproxy.pi.login import Kind, Login

CODEX: Final = "openai-codex"
LLAMA: Final = "llama.cpp"

_AWS_KEY: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_AWS_CHAIN: Final = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_FEDERATION: Final = ("ANTHROPIC_FEDERATION_RULE_ID", "ANTHROPIC_ORGANIZATION_ID", "ANTHROPIC_IDENTITY_TOKEN_FILE")
_FEDERATION_OPTIONS: Final = ("ANTHROPIC_SERVICE_ACCOUNT_ID", "ANTHROPIC_WORKSPACE_ID")
_GCLOUD_DEFAULT: Final = "~/.config/gcloud/application_default_credentials.json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: what is configured for ``provider``?"""

    provider: str
    key: str | None = field(repr=False)
    key_source: str
    stored: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    exists: Callable[[str], bool] = isfile

    def setting(self, name: str) -> str | None:
        """The stored variable if it is there, even an empty one, which blocks; else the process's."""
        return value(self.stored, name) if name in self.stored else value(self.environ, name)

    def either(self, name: str) -> str | None:
        """The stored variable if it has a value, else the process's."""
        return value(self.stored, name) or value(self.environ, name)

    @property
    def ambient(self) -> Asked:
        """The same without what is stored: pi passes stored variables on only beside a stored key or profile."""
        return replace(self, key=None, key_source="", stored={})

    def settings(self) -> dict[str, str]:
        """All stored variables, and the process's own that the provider reads."""
        names = SETTINGS.get(self.provider, ())
        ambient = {name: text for name in names if (text := value(self.environ, name)) is not None}
        return ambient | dict(self.stored)

    def key_or_variable(self) -> tuple[str, str] | None:
        """``(key, source)``: the given key, else the first key variable of the provider."""
        if self.key is not None:
            return self.key, self.key_source
        found = first(self.environ, key_variables(self.provider))
        return (found[1], variable(found[0])) if found else None

    def with_key(self) -> Login | None:
        """The given key with the stored variables, else a key variable with those of the process alone."""
        found = self.key_or_variable()
        if found is None:
            return None
        asked = self if self.key is not None else self.ambient
        return asked.answer("api_key", found[1], key=found[0])

    def answer(self, kind: Kind, source: str, *, key: str | None = None, file: str | None = None) -> Login:
        return Login(provider=self.provider, kind=kind, key=key, env=self.settings(), source=source, file=file)

    def none(self, problem: str) -> Login:
        return Login(provider=self.provider, kind="none", problem=problem)


Resolver: TypeAlias = Callable[[Asked], Login]


def variable(name: str) -> str:
    """Words for a source."""
    return f"environment variable {name}"


def anthropic(asked: Asked) -> Login:
    """Key; auth token; OAuth token; API key; workload identity federation."""
    if asked.key is not None:
        return asked.answer("api_key", asked.key_source, key=asked.key)
    found = first(asked.environ, KEY_VARIABLES["anthropic"])
    if found:
        name, token = found
        kind: Kind = "auth_token" if name == "ANTHROPIC_AUTH_TOKEN" else "api_key"
        return asked.ambient.answer(kind, variable(name), key=token)
    ids = {name: text for name in (*_FEDERATION, *_FEDERATION_OPTIONS) if (text := value(asked.environ, name))}
    if all(name in ids for name in _FEDERATION):
        return Login(
            provider=asked.provider,
            kind="workload_identity",
            env=ids,
            source="workload identity federation (ANTHROPIC_FEDERATION_RULE_ID)",
            file=ids["ANTHROPIC_IDENTITY_TOKEN_FILE"],
        )
    return asked.none("no login and no ANTHROPIC_API_KEY")


def bedrock(asked: Asked) -> Login:
    """Bearer token; named profile; ambient key pair; container or web identity.

    ``~/.aws`` default profiles and instance metadata do not count, as in pi. The stored variables go along only with a
    key or a profile.
    """
    by_key = asked.with_key()
    if by_key is not None:
        return by_key
    if value(asked.stored, "AWS_PROFILE"):
        return asked.answer("aws_profile", f"AWS_PROFILE in {asked.key_source}")
    if value(asked.environ, "AWS_PROFILE"):
        return asked.answer("aws_profile", variable("AWS_PROFILE"))
    if all(value(asked.environ, name) for name in _AWS_KEY):
        return asked.ambient.answer("aws_keys", variable("AWS_ACCESS_KEY_ID"))
    chain = first(asked.environ, _AWS_CHAIN)
    if chain:
        return asked.ambient.answer("aws_chain", variable(chain[0]))
    return asked.none("no AWS_BEARER_TOKEN_BEDROCK, AWS_PROFILE, AWS key pair, container or web identity")


def vertex(asked: Asked) -> Login:
    """An API key, else application default credentials with project and location.

    Beyond pi: ``GCE_METADATA_HOST`` names the metadata server explicitly and then stands for the file.
    """
    key = asked.key_or_variable()
    if key and not is_marker(key[0]):
        return asked.ambient.answer("api_key", key[1], key=key[0])
    project = asked.either("GOOGLE_CLOUD_PROJECT") or value(asked.environ, "GCLOUD_PROJECT")
    location = asked.either("GOOGLE_CLOUD_LOCATION")
    named = asked.either("GOOGLE_APPLICATION_CREDENTIALS")
    file = _at_home(named or _GCLOUD_DEFAULT, asked.environ)
    metadata = named is None and value(asked.environ, "GCE_METADATA_HOST") is not None
    if not asked.exists(file) and not metadata:
        return asked.none(f"no GOOGLE_CLOUD_API_KEY, and no credentials file at {file}")
    if not project or not location:
        return asked.none("application default credentials need GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION")
    found = asked.answer("adc", file, file=file) if asked.exists(file) else asked.answer("adc", "metadata server")
    env = {**found.env, "GOOGLE_CLOUD_PROJECT": project, "GOOGLE_CLOUD_LOCATION": location}
    return Login(provider=asked.provider, kind="adc", env=env, source=found.source, file=found.file)


def cloudflare(asked: Asked) -> Login:
    """A key and the ids that the address needs, each from the stored entry or the process."""
    key = asked.key_or_variable()
    needed = SETTINGS[asked.provider]
    ids = {name: text for name in needed if (text := asked.setting(name))}
    missing = [name for name in ("CLOUDFLARE_API_KEY", *needed) if name not in ids and (name in needed or not key)]
    if missing or not key:
        return asked.none(f"missing: {', '.join(missing)}")
    return Login(provider=asked.provider, kind="api_key", key=key[0], env=ids, source=key[1])


def llama_cpp(asked: Asked) -> Login:
    """pi's built-in extension provider: configured by its address, the key may be made up."""
    address = asked.either("LLAMA_BASE_URL")
    if address is None:
        return asked.none("LLAMA_BASE_URL is not set")
    named = value(asked.environ, "LLAMA_API_KEY")
    key, source = (asked.key, asked.key_source) if asked.key else (named or "local", variable("LLAMA_BASE_URL"))
    return Login(
        provider=asked.provider,
        kind="api_key",
        key=key,
        env=asked.settings(),
        source=source,
        base_url=f"{llama_address(address)}/v1",
    )


def llama_address(address: str) -> str:
    """Without query, fragment, trailing ``/`` and ``/v1``."""
    parts = urlsplit(address.strip())
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def is_marker(key: str) -> bool:
    """A stand-in that pi or a Google library writes where there is no key (``<authenticated>``)."""
    return key == "gcp-vertex-credentials" or re.fullmatch("<[^>]+>", key) is not None


def _at_home(path: str, environ: Mapping[str, str]) -> str:
    """No shell has seen what stands in auth.json or in a service's environment: ``~`` is still there."""
    if not path.startswith("~/"):
        return path
    return str(Path(value(environ, "HOME") or Path.home()) / path[2:])


RESOLVERS: Final[Mapping[str, Resolver]] = {
    "anthropic": anthropic,
    "amazon-bedrock": bedrock,
    "google-vertex": vertex,
    "cloudflare-ai-gateway": cloudflare,
    "cloudflare-workers-ai": cloudflare,
    LLAMA: llama_cpp,
}
