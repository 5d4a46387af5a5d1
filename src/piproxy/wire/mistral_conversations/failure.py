"""Mistral's errors: ``{"object": "error", "message": …, "type", "param", "code"}``, or ``{"detail": …}``."""

from __future__ import annotations

from collections.abc import Mapping

from piproxy import jsontext
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
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


def cut_short(strays: bytes) -> UpstreamError:
    """The stream ended before the answer did; an error document that stands between the frames says why."""
    try:
        value = jsontext.parse(strays)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return stream_failure(value)
    return UpstreamBroken("The provider's answer stopped before it was complete.")
