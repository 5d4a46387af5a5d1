"""Bedrock's errors, as an answer and inside a stream (wire reference, 5.7 and 5.8).

An exception is known by its name: the header ``x-amzn-errortype`` (``Name:uri``), ``__type`` in the body, or
``:exception-type`` of an event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from piproxy.errors import ProviderError
from piproxy.providererror import Complaint, Kind, classify, complaint, provider_error

_MEANING: Final[Mapping[str, tuple[int, Kind | None]]] = {
    "validation": (400, None),
    "servicequotaexceeded": (400, "quota"),
    "accessdenied": (403, "auth"),
    "unrecognizedclient": (403, "auth"),
    "expiredtoken": (403, "auth"),
    "invalidsignature": (403, "auth"),
    "incompletesignature": (403, "auth"),
    "missingauthenticationtoken": (403, "auth"),
    "resourcenotfound": (404, "not_found"),
    "modeltimeout": (408, "timeout"),
    "modelerror": (424, "server"),
    "modelstreamerror": (424, "server"),
    "throttling": (429, "rate_limit"),
    "modelnotready": (429, "rate_limit"),
    "internalserver": (500, "server"),
    "serviceunavailable": (503, "overloaded"),
}
"""Exception name, lower case and without ``Exception`` -> its HTTP status, and what it means where that is certain."""

_TOO_LONG: Final = re.compile(r"input tokens exceeded|input is too long|number of input tokens exceeds", re.IGNORECASE)
_NO_MODEL: Final = re.compile(r"provided model identifier is invalid", re.IGNORECASE)


def parse_failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """An answer that is not 2xx."""
    said = complaint(body)
    name = headers.get("x-amzn-errortype") or said.type or said.code or ""
    return provider_error(status, replace(said, code=_short(name) or None), headers, kind=_kind(status, name, said))


def failure_in_stream(name: str, said: Complaint) -> ProviderError:
    """An exception or error message of the event stream, by its name."""
    status, _ = _MEANING.get(_key(name), (500, None))
    kind = _kind(status, name, said)
    said = replace(said, code=_short(name) or None, message=said.message or _short(name))
    return provider_error(None, said, kind=kind)


def _kind(status: int, name: str, said: Complaint) -> Kind:
    _, meaning = _MEANING.get(_key(name), (0, None))
    if meaning == "rate_limit" and re.search(r"per day", said.message, re.IGNORECASE):
        return "quota"
    if (meaning and status < 500) or meaning in ("server", "overloaded"):
        return meaning
    if status == 400 and _TOO_LONG.search(said.message):
        return "overflow"
    if status == 400 and _NO_MODEL.search(said.message):
        return "not_found"
    return "server" if status == 424 else classify(status, said)


def _short(name: str) -> str:
    """``com.amazon.coral#ThrottlingException:http://…`` -> ``ThrottlingException``."""
    return name.split(":", 1)[0].rsplit("#", 1)[-1].strip()


def _key(name: str) -> str:
    return _short(name).lower().removesuffix("exception")
