"""The demo provider's errors before its stream (format: :mod:`piproxy.wire.demo`)."""

from __future__ import annotations

from collections.abc import Mapping

from piproxy.errors import ProviderError
from piproxy.providererror import complaint, provider_error


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The provider's error as the client's."""
    return provider_error(status, complaint(body), headers)
