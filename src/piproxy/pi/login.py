"""What is configured for a provider, found without any network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from piproxy.pi.auth_entry import OAuthEntry

Kind: TypeAlias = Literal[
    "api_key",
    "oauth",
    "auth_token",
    "workload_identity",
    "aws_profile",
    "aws_keys",
    "aws_chain",
    "adc",
    "none",
]
"""``auth_token``: a bearer token that is no key (``ANTHROPIC_AUTH_TOKEN``); ``aws_chain``: whatever botocore's chain
finds; ``adc``: Google's application default credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The answer for one provider; secrets stay out of ``repr``."""

    provider: str
    kind: Kind
    key: str | None = field(default=None, repr=False)
    """The key or token. ``None`` with kind ``api_key``: a command of models.json that was not asked to run."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Provider variables by name: those of the stored entry, where pi passes them on, then those of the process that
    the provider reads. May hold secrets (AWS keys, a stored entry's own)."""
    source: str = ""
    """Where it comes from, for ``doctor``: ``auth.json``, ``models.json``, ``environment variable GROQ_API_KEY`` …"""
    problem: str | None = None
    """Why there is none, in words for anybody; ``None`` when there is one."""
    hint: str | None = None
    """What looks like a mistake and is none for pi, in words for ``doctor``."""
    entry: OAuthEntry | None = field(default=None, repr=False)
    """The stored login, with kind ``oauth``."""
    flow: str | None = None
    """With kind ``oauth``: whose refresh applies; ``None`` for a login that only a pi extension can refresh."""
    gateway: str | None = None
    """With flow ``radius``: the gateway's address without ``/v1``; ``None``: Radius's own."""
    file: str | None = None
    """``adc`` and ``workload_identity``: the file to read; ``None`` with ``adc``: the metadata server."""
    base_url: str | None = None
    """An address that the configuration dictates (llama.cpp)."""
    from_client: bool = False
    """The client sent the key along."""

    @property
    def available(self) -> bool:
        """pi would list the provider's models."""
        return self.kind != "none"
