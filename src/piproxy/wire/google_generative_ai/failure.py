"""Gemini's errors (wire reference, 3.6): ``{"error": {code, message, status, details}}``, at times in an array."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from piproxy import jsontext
from piproxy.errors import NO_HEADERS, ProviderError
from piproxy.jsontext import Json
from piproxy.providererror import Kind, classify, complaint, complaint_in, provider_error

_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)s")


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx. Google says in the body, not in a header, when to come back."""
    try:
        error = _error(jsontext.parse(body))
    except (ValueError, RecursionError):
        error = {}
    delay = _delay(error)
    if delay is not None and "retry-after" not in headers:
        headers = {**headers, "retry-after": delay}
    said = complaint(body)
    return provider_error(status, replace(said, code=said.type), headers, kind=_kind(status, error))


def failure_in(document: Json) -> ProviderError:
    """An error document inside an answer that began with status 200."""
    said = complaint_in(document)
    error = _error(document)
    delay = _delay(error)
    headers = NO_HEADERS if delay is None else {"retry-after": delay}
    return provider_error(None, replace(said, code=said.type), headers, kind=_kind(None, error) or classify(None, said))


def _kind(status: int | None, error: Mapping[str, Json]) -> Kind | None:
    """A day's quota that is used up: trying again in a minute will not help."""
    if status not in (None, 429):
        return None
    for detail in _details(error):
        for violation in detail.get("violations") or ():
            if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId")):
                return "quota"
    return None


def _delay(error: Mapping[str, Json]) -> str | None:
    """``RetryInfo.retryDelay`` (``"12.5s"``) in whole seconds, rounded up."""
    for detail in _details(error):
        found = _SECONDS.fullmatch(str(detail.get("retryDelay")))
        if found:
            return str(math.ceil(float(found[1])))
    return None


def _details(error: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    details = error.get("details")
    if isinstance(details, list):
        yield from (detail for detail in details if isinstance(detail, dict))


def _error(document: Json) -> Mapping[str, Json]:
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}
