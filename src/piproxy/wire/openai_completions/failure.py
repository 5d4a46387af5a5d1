"""Answers that are not 2xx."""

from __future__ import annotations

from collections.abc import Mapping

from piproxy.errors import ProviderError
from piproxy.providererror import complaint, provider_error


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The client's error for a provider's answer; ``headers`` have lower-case names."""
    return provider_error(status, complaint(body), headers)
