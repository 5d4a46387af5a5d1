"""Error answers (wire-native-apis.md, 2.11): ``{"type": "error", "error": {"type", "message"}, "request_id"}``.

Gateways answer other shapes, HTML included; :mod:`piproxy.providererror` reads them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from piproxy.errors import ProviderError
from piproxy.jsontext import Json
from piproxy.providererror import Complaint, Kind, classify, complaint, complaint_in, provider_error

_BY_TYPE: Final[Mapping[str, Kind]] = {
    "billing_error": "quota",
    "rate_limit_error": "rate_limit",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
}
"""Types that mean the same whatever the HTTP status around them."""

_NO_MONEY: Final = re.compile(r"credit balance|spend(ing)? limit|usage limits", re.IGNORECASE)
"""Anthropic says so with status 400 and ``invalid_request_error``."""


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    said = complaint(body)
    return provider_error(status, said, headers, kind=_kind(status, said))


def stream_failure(event: Json) -> ProviderError:
    """An ``error`` event inside a stream, or a document of ``type: error`` with status 200."""
    said = complaint_in(event)
    return provider_error(None, said, kind=_kind(None, said))


def _kind(status: int | None, said: Complaint) -> Kind | None:
    if classify(status, said) not in ("server", "invalid"):
        return None
    return "quota" if _NO_MONEY.search(said.message) else _BY_TYPE.get(said.type or "")
