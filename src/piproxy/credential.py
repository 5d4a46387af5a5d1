"""What authenticates one request to a provider, after everything that needs files or the network is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SECRET_HEADERS: Final = ("auth", "key", "token", "secret", "cookie", "credential")


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys for SigV4."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Ready to use; secrets stay out of ``repr``.

    ``headers`` are the configured ones, merged in pi's order (pi-on-disk.md, 8.3, steps 3 to 7): a value of ``None``
    means "do not send this header, not even a default".
    """

    api_key: str | None = field(default=None, repr=False)
    """The key or access token that goes where the API wants it; ``None``: the headers hold all there is."""
    headers: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    base_url: str | None = None
    """An address that the login dictates (Copilot); it beats the model's own."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Provider variables by name (``AZURE_OPENAI_BASE_URL``, ``CLOUDFLARE_ACCOUNT_ID``, ``AWS_REGION`` …): those of
    the stored credential first, then the process environment."""
    anthropic_betas: tuple[str, ...] = ()
    """Values that the login adds to ``anthropic-beta``, unless :attr:`headers` sets that header."""
    aws: AwsKeys | None = None
    bearer: bool = False
    """``api_key`` is an OAuth or platform token: send it as ``Authorization: Bearer`` whatever the API's own header."""
    from_client: bool = False
    """The client gave the key (``X-Pi-Upstream-Api-Key``): a refusal of it is the client's 401."""
    oauth: bool = False
    """From a stored login."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text in here that nobody may be shown; the longest first."""
        found = {self.api_key or ""}
        if self.aws is not None:
            found |= {self.aws.access_key, self.aws.secret_key, self.aws.session_token or ""}
        for name, value in self.headers.items():
            if value is not None and any(word in name.lower() for word in _SECRET_HEADERS):
                found |= {value, value.rpartition(" ")[2]}
        return tuple(sorted(found - {""}, key=len, reverse=True))
