"""Error answers (wire-native-apis.md, 2.11): ``{"type": "error", "error": {"type", "message"}, "request_id"}``.

Gateways answer other shapes, HTML included; :mod:`piproxy.providererror` reads them all.
"""

from __future__ import annotations

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


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    said = complaint(body)
    return provider_error(status, said, headers, kind=_kind(status, said))


def stream_failure(event: Json) -> ProviderError:
    """An ``error`` event inside a stream, or a document of ``type: error`` with status 200."""
    said = complaint_in(event)
    return provider_error(None, said, kind=_kind(None, said))


def _kind(status: int | None, said: Complaint) -> Kind | None:
    meaning = classify(status, said)
    return _BY_TYPE.get(said.type or "") if meaning in ("server", "invalid") else None
