"""What a provider's error means, and the client's error for it (wire reference, 11.3; native wire reference, 1.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from piproxy.errors import NO_HEADERS, ProviderError
from piproxy.providererror.reading import Complaint

Kind: TypeAlias = Literal[
    "overflow",
    "content_filter",
    "quota",
    "auth",
    "not_found",
    "timeout",
    "rate_limit",
    "overloaded",
    "too_large",
    "invalid",
    "server",
]
"""What an error means; the keys of the mapping to the client's status, type and code."""


_OVERFLOW: Final = re.compile(
    r"prompt (is )?too long"
    r"|input is too long for requested model"
    r"|prompt exceeds max length"
    r"|exceeds the context window"
    r"|input tokens exceeds? (the )?max"
    r"|input token count.{0,40}exceeds"
    r"|exceeds .{0,80}maximum (context length|allowed input length|number of tokens)"
    r"|context window exceed(ed|s limit)"
    r"|maximum (prompt|context) length is \d"
    r"|reduce the length of the (messages|input|prompt)"
    r"|longer than the model'?s context length"
    r"|tokens?\b.{0,80}exceeds the limit of \d"
    r"|exceeds the available context size"
    r"|greater than the context length"
    r"|exceeded model token limit"
    r"|too large for model with \d+ maximum"
    r"|configured context size is"
    r"|model_context_window_exceeded"
    r"|range of input length should be"
    r"|context[_ ]length[_ ]exceeded"
    r"|too many tokens"
    r"|token limit exceeded"
    r"|request_too_large.{0,40}context",
    re.IGNORECASE,
)
_RATE: Final = re.compile(r"rate[ _-]?limit|too many requests|throttl", re.IGNORECASE)
_QUOTA: Final = re.compile(
    r"insufficient[ _](quota|balance|credits?|funds)|quota exceeded|exceeded your current quota|billing"
    r"|available balance|credit balance|usage limit|requires more credits|out of credits|spend(ing)? limit",
    re.IGNORECASE,
)
_SOON: Final = re.compile(r"(retry|try again) (in|after) [\d~]", re.IGNORECASE)
_FILTER: Final = re.compile(
    r"content[_ ]filter|ResponsibleAIPolicyViolation|content management policy|content_policy_violation"
    r"|input was flagged|data_inspection_failed",
    re.IGNORECASE,
)
_KEY: Final = re.compile(
    r"(incorrect|invalid) api[ _-]?key|api[ _-]?key (is )?(not valid|invalid|incorrect|expired)|API_KEY_INVALID",
    re.IGNORECASE,
)
_BUSY: Final = re.compile(
    r"overloaded|at capacity|over capacity|capacity exceeded|server_is_overloaded|slow_down|no capacity", re.IGNORECASE
)

_BY_NAME: Final[Mapping[str, Kind]] = {
    "context_length_exceeded": "overflow",
    "model_context_window_exceeded": "overflow",
    "1261": "overflow",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "insufficient_quota": "quota",
    "billing_error": "quota",
    "billing_hard_limit_reached": "quota",
    "usage_limit_reached": "quota",
    "usage_not_included": "quota",
    "1308": "quota",
    "authentication_error": "auth",
    "permission_error": "auth",
    "invalid_api_key": "auth",
    "invalid_authentication_error": "auth",
    "unauthenticated": "auth",
    "permission_denied": "auth",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "not_found": "not_found",
    "timeout": "timeout",
    "timeout_error": "timeout",
    "deadline_exceeded": "timeout",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit": "rate_limit",
    "too_many_requests": "rate_limit",
    "resource_exhausted": "rate_limit",
    "overloaded_error": "overloaded",
    "provider_overloaded": "overloaded",
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
    "unavailable": "overloaded",
    "service_unavailable": "overloaded",
    "service_unavailable_error": "overloaded",
    "request_too_large": "too_large",
    "invalid_request_error": "invalid",
    "invalid_argument": "invalid",
    "failed_precondition": "invalid",
    "bad_request": "invalid",
    "api_error": "server",
    "server_error": "server",
    "internal_server_error": "server",
    "internal": "server",
}
"""``error.code`` or ``error.type`` (lower case) -> meaning; decides only where no HTTP status does."""

_BY_STATUS: Final[Mapping[int, Kind]] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    498: "overloaded",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

_ANSWER: Final[Mapping[Kind, tuple[int, str, str | None]]] = {
    "overflow": (400, "invalid_request_error", "context_length_exceeded"),
    "content_filter": (400, "invalid_request_error", "content_filter"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "auth": (502, "server_error", "upstream_auth_error"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "timeout": (504, "server_error", "timeout"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "overloaded": (503, "server_error", "provider_overloaded"),
    "too_large": (413, "invalid_request_error", "request_too_large"),
    "invalid": (400, "invalid_request_error", None),
    "server": (502, "server_error", "upstream_error"),
}
_LAST_WORD: Final = frozenset(("quota", "auth"))
"""Trying again will not help."""
_RETRY: Final[Mapping[str, re.Pattern[str]]] = {
    "retry-after": re.compile(
        r"[0-9]{1,9}(\.[0-9]{1,9})?|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
    ),
    "retry-after-ms": re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?"),
    "x-should-retry": re.compile(r"true|false"),
}
"""What SDKs obey, in the forms that they can read: seconds, which may have a fraction, or HTTP's date."""
_HOST: Final = re.compile(r"[\w.:%-]{1,253}", re.ASCII)
_PACED: Final = frozenset(("quota", "rate_limit", "overloaded", "timeout", "server"))


def provider_error(
    status: int | None, said: Complaint, headers: Mapping[str, str] = NO_HEADERS, *, kind: Kind | None = None
) -> ProviderError:
    """The client's error for a provider's.

    ``status`` is the provider's HTTP status; ``None`` means an error inside a stream, told apart by its ``code`` and
    ``type``. ``headers`` are the answer's, names in lower case. ``kind`` is what a room knows better than the general
    rules. A refused credential becomes 502 ``upstream_auth_error``, with ``x-should-retry: false``; who knows that the
    client brought the key makes a 401 of it.
    """
    meaning = kind or classify(status, said)
    answer, type_, code = _ANSWER[meaning]
    message = said.message
    if status is not None and 300 <= status < 400 and (target := _target(headers.get("location", ""))):
        redirects = f"The provider answered HTTP {status}: it redirects to {target}, and piproxy follows no redirects."
        message = f"{redirects} {message}".rstrip()
    elif not message:
        where = f"HTTP {status}" if status is not None else "an error"
        message = f"The provider answered {where} and said nothing about it."
    error = ProviderError(
        message,
        upstream_status=status,
        status=answer,
        type=type_,
        param=said.param if answer in (400, 404) else None,
        headers=_passed_on(meaning, headers),
    )
    error.code = code or (said.code if said.code != str(status) else None)
    return error


def _target(location: str) -> str:
    """Where a ``Location`` leads: the host alone, as the rest may hold secrets; ``""`` without one that can be read."""
    try:
        parts = urlsplit(location.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if not host:
        return "another path of its host" if parts.path or parts.query else ""
    if not _HOST.fullmatch(host):
        return "another host"
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown


def classify(status: int | None, said: Complaint) -> Kind:
    """What the error means; an answer of 5xx is never blamed on the request."""
    names = [name.lower() for name in (said.code, said.type) if name]
    if status is None:
        status = next((int(n) for n in names if n.isdecimal() and 400 <= int(n) < 600), None)
    named: Kind | None = next((_BY_NAME[name] for name in names if name in _BY_NAME), None)
    text = " ".join((said.message, *names))
    if status is not None and status >= 500:
        return _of_server(status, named, text)
    if status is None or 400 <= status < 500:
        return _of_request(status, named, text)
    return "server"


def _of_server(status: int, named: Kind | None, text: str) -> Kind:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "overloaded" if named == "overloaded" or _BUSY.search(text) else "server"


def _of_request(status: int | None, named: Kind | None, text: str) -> Kind:
    """4xx, or no status at all."""
    limited = named == "rate_limit" or bool(_RATE.search(text))
    if named == "overflow" or (_OVERFLOW.search(text) and not limited) or (status in (400, 413) and not text.strip()):
        return "overflow"
    if status == 402 or named == "quota" or (status in (None, 403, 429) and _out_of_money(text, named)):
        return "quota"
    if status != 429 and (named == "content_filter" or _FILTER.search(text)):
        return "content_filter"
    if status in (None, 400) and (named == "auth" or _KEY.search(text)):
        return "auth"
    if status is not None:
        return _BY_STATUS.get(status, "invalid")
    if named is not None and named not in ("invalid", "server"):
        return named
    if limited:
        return "rate_limit"
    if _BUSY.search(text):
        return "overloaded"
    return named or "server"


def _out_of_money(text: str, named: Kind | None) -> bool:
    """A plan or a balance is used up; a limit that ends in some seconds is only a rate limit."""
    if not _QUOTA.search(text) or _SOON.search(text):
        return False
    return named != "rate_limit" or bool(re.search(r"per ?day|daily|monthly|balance|credits", text, re.IGNORECASE))


def _passed_on(meaning: Kind, headers: Mapping[str, str]) -> dict[str, str]:
    """When to try again, as far as it can be read, and the limits that are left."""
    kept: dict[str, str] = {}
    if meaning in _PACED:
        for name, value in headers.items():
            low = name.lower()
            form = _RETRY.get(low)
            if form is not None:
                known = form.fullmatch(value.strip()) is not None
            else:
                limits = low.startswith(("x-ratelimit-", "anthropic-ratelimit-"))
                known = limits and meaning in ("rate_limit", "quota") and value.isprintable()
            if known:
                kept[low] = value.strip()
    if meaning in _LAST_WORD:
        kept["x-should-retry"] = "false"
    return kept
