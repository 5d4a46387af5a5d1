"""Mistral's errors: ``{"object": "error", "message": …, "type", "param", "code"}``, or ``{"detail": …}``."""

from __future__ import annotations

from collections.abc import Mapping

from piproxy.errors import ProviderError
from piproxy.jsontext import Json
from piproxy.providererror import Complaint, complaint, complaint_in, provider_error


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    return provider_error(status, complaint(body), headers)


def stream_failure(event: Mapping[str, Json]) -> ProviderError:
    """An error in the place of a chunk, or of the whole answer."""
    status = event.get("raw_status_code")
    known = status if isinstance(status, int) and 400 <= status < 600 else None
    return provider_error(known, complaint_in(event))


def stopped_with_error() -> ProviderError:
    """``finish_reason: "error"``: the server failed on the way; it says no more."""
    return provider_error(None, Complaint("The provider stopped with an error."), kind="server")
