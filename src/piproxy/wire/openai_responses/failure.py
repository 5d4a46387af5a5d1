"""Errors of the Responses API: of an HTTP answer, and inside a stream (wire reference, 11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import jsontext
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
from piproxy.jsontext import Json
from piproxy.providererror import classify, complaint, complaint_in, provider_error

_REQUESTS_FAULT: Final = ("invalid_", "unsupported_", "image_", "empty_image", "failed_to_download_image")
"""How the codes of ``response.failed`` begin that blame the request (``ResponseError.code`` of OpenAI's models)."""


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    return provider_error(status, complaint(body), headers)


def stream_failure(event: Mapping[str, Json]) -> ProviderError:
    """An ``error`` event, an error object with status 200, or ``{"error": …}`` out of a failed response."""
    said = complaint_in(event)
    status = event.get("status_code", event.get("status"))
    if isinstance(status, int) and 400 <= status < 600:
        return provider_error(status, said)
    if classify(None, said) == "server" and (said.code or "").startswith(_REQUESTS_FAULT):
        return provider_error(None, said, kind="invalid")
    return provider_error(None, said)


def cut_short(strays: bytes) -> UpstreamError:
    """The stream ended before the answer did; an error document that stands between the frames says why."""
    try:
        value = jsontext.parse(strays)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return stream_failure(value)
    return UpstreamBroken("The provider's answer stopped before it was complete.")
