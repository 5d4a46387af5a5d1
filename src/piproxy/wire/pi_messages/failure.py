"""Error answers, ``{"error": {"message", "code"}}``, and the ``error`` event of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from piproxy.errors import ProviderError
from piproxy.jsontext import Json
from piproxy.providererror import classify, complaint, complaint_in, provider_error

_STATUS: Final = re.compile(r"^([45]\d\d)\b")
"""pi writes the upstream's HTTP status in front of its message."""


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    return provider_error(status, complaint(body), headers)


def stream_failure(event: Mapping[str, Json]) -> ProviderError:
    """An ``error`` event, or an error document with status 200."""
    text = event.get("errorMessage")
    said = complaint_in(text if isinstance(text, str) and text.strip() else event)
    status = _STATUS.match(said.message)
    return provider_error(None, said, kind=classify(int(status[1]), said) if status else None)
