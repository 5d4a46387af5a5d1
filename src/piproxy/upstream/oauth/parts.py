"""What the logins' modules share: request parts, careful reading of replies, expiry sums (pi-on-disk.md, 4.2). Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlencode

from piproxy import jsontext
from piproxy.errors import NO_HEADERS, UpstreamError
from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry

Entry: TypeAlias = dict[str, Json]
"""An entry of auth.json as it is stored, members in pi's order."""

MINUTE_MS: Final = 60_000
ACCEPT_JSON: Final = {"Accept": "application/json"}
_BUSY: Final = (408, 425, 429)
_BEYOND: Final = 1e12
_LIFETIME: Final = 3600.0
_SECONDS: Final = re.compile(r"[0-9]{1,5}")
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,60}")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request to a token endpoint."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """What a request depends on beside the entry."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    gateway: str | None = None
    """Radius: the gateway's address without ``/v1``."""


class Refused(Exception):
    """A token endpoint gave nothing to go on with; the words hold no secret and nothing of the answer's prose.

    ``final``: the same refresh token will never work again. A bare 401 or 403 may be a firewall's and is not.
    ``passing``: asking again in a moment may help, or after ``retry_after`` seconds. An answer of 2xx that makes no
    sense is not: what it was asked with may be spent. ``kept``: the entry with what is to be asked with from now on, if
    such an answer says that.
    """

    kept: Entry | None = None

    def __init__(
        self, reason: str, *, final: bool = False, passing: bool = False, retry_after: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.passing = passing
        self.retry_after = retry_after


def is_busy(status: int) -> bool:
    """An HTTP status of a server that may do better in a moment."""
    return status in _BUSY or status >= 500


def may_pass(error: Refused | UpstreamError) -> bool:
    """Asking again in a moment may help: no answer at all, or a busy server's."""
    return isinstance(error, UpstreamError) or error.passing


class Flow(Protocol):
    """One module of this folder."""

    @property
    def ROTATES(self) -> bool:  # noqa: N802 - a module's constant
        """A refresh spends the stored refresh token: the new one must be written."""
        ...

    @property
    def PAUSES(self) -> tuple[float, ...]:  # noqa: N802
        """Seconds before each further attempt after no answer, 429 or 5xx."""
        ...

    def request(self, entry: OAuthEntry, context: Context) -> TokenRequest:
        """The refresh call. Raises :class:`Refused` when the entry lacks what it needs."""
        ...

    def stored(self, entry: OAuthEntry, reply: Json, now_ms: int) -> Entry:
        """What is stored instead of ``entry``. Raises :class:`Refused` for a reply that lacks something."""
        ...


def form(url: str, fields: Mapping[str, str], *, accept: bool = True) -> TokenRequest:
    """A POST of ``fields`` as a form, in their order."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **(ACCEPT_JSON if accept else {})}
    return TokenRequest("POST", url, headers, urlencode(fields).encode())


def json_post(url: str, value: Json, headers: Mapping[str, str] | None = None) -> TokenRequest:
    """A POST of ``value`` as JSON."""
    return TokenRequest(
        "POST", url, {"Content-Type": "application/json", **ACCEPT_JSON, **(headers or {})}, jsontext.dump(value)
    )


def text(reply: Json, name: str) -> str:
    """A member that must be a non-empty string."""
    value = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(value, str) or not value:
        raise Refused(f"the reply has no {name}")
    return value


def text_or(reply: Json, name: str, default: str) -> str:
    """A member that may be missing."""
    value = reply.get(name) if isinstance(reply, dict) else None
    return value if isinstance(value, str) and value else default


def number(reply: Json, name: str) -> float:
    """A member that must be a number of seconds: those of a date of ours, not of a slip."""
    value = reply.get(name) if isinstance(reply, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _BEYOND:
        raise Refused(f"the reply has no {name}")
    return float(value)


def lifetime(reply: Json) -> float:
    """Seconds that the access token lasts, from ``expires_in``; an hour where that is missing or makes no sense.

    RFC 6749, 5.1, does not demand it, and the refresh token beside it may be the only good one by now. pi 1.5.2 takes
    an hour for xAI, stores ``null`` for Radius and Anthropic, which it cannot read again, and discards the reply for
    all others.
    """
    value = reply.get("expires_in") if isinstance(reply, dict) else None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _BEYOND:
        return _LIFETIME
    return float(value)


def rotated(entry: OAuthEntry, reply: Json) -> Entry | None:
    """``entry`` with the refresh token of a reply that is good for nothing else; ``None`` if that has no new one."""
    refresh = text_or(reply, "refresh_token", entry.refresh)
    return {**entry.raw, "refresh": refresh} if refresh != entry.refresh else None


def expiry(now_ms: int, seconds: float, skew_ms: int = 0) -> int:
    """Milliseconds since the epoch, as an ``int``: JavaScript writes no ``.0``."""
    return now_ms + int(seconds * 1000) - skew_ms


def read_reply(status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> Json:
    """The JSON of a good answer. Raises :class:`Refused` for any other, with its OAuth error code at most."""
    try:
        reply = jsontext.parse(body) if body.strip() else None
    except ValueError:
        reply = None
    if 200 <= status < 300:
        if not isinstance(reply, dict):
            raise Refused("the reply is not a JSON object")
        return reply
    code = error_code(reply)
    final = code == "invalid_grant"
    raise Refused(
        f"HTTP {status}{f', {code}' if code else ''}",
        final=final,
        passing=not final and is_busy(status),
        retry_after=after if _SECONDS.fullmatch(after := headers.get("retry-after", "")) else None,
    )


def error_code(reply: Json) -> str:
    """The machine-readable part of an error, if it looks like one."""
    code = reply.get("error") if isinstance(reply, dict) else None
    if isinstance(code, dict):
        code = code.get("type") or code.get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def jwt_claims(token: str) -> Json:
    """The payload of a JWT, unverified; ``None`` for anything else.

    pi decodes plain base64, which breaks on ``-`` and ``_``; the URL-safe alphabet with padding is right.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
