"""Who may ask: the proxy's token, and on a loopback bind no foreign ``Host`` and no cross-site ``Origin``.

A browser page from anywhere can reach a server on 127.0.0.1 (DNS rebinding, plain cross-site requests); programs send
no ``Origin``. Node's fetch sends ``sec-fetch-mode: cors`` without one and must pass.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from piproxy.errors import Forbidden, NotAuthenticated
from piproxy.settings.addresses import is_loopback

_METHODS: Final = "GET, POST, OPTIONS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """The rules of one running server."""

    loopback: bool
    """Every bind is on a loopback address (or a unix socket)."""
    token: str = ""
    hosts: Collection[str] = ()
    """Further host names that clients may use."""
    origins: Collection[str] = ()
    """Origins of browser pages that may ask; ``*`` is any."""

    @classmethod
    def of(cls, *, loopback: bool, token: str, hosts: Collection[str], origins: Collection[str]) -> Guards:
        """With hosts and origins as people write them: in any case, with a port or a slash that they do not have."""
        return cls(
            loopback=loopback,
            token=token,
            hosts=frozenset(map(_hostname, hosts)),
            origins=frozenset(origin.rstrip("/").lower() for origin in origins),
        )

    def admit(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The CORS headers of the answer, often none. Raises :class:`Forbidden`."""
        host = _hostname(headers.get("host", ""))
        if self.loopback and host and not (is_loopback(host) or host in self.hosts):
            raise Forbidden(
                f"The host {host!r} is not this machine. If it is one of its names, add it to the setting allowedHosts."
            )
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site") == "cross-site":
                raise Forbidden("Requests from other web sites are refused.")
            return {}
        if not self._known(origin, host):
            raise Forbidden(
                f"The origin {origin!r} may not use this proxy. If it may, add it to the setting allowedOrigins."
            )
        return {"access-control-allow-origin": origin, "vary": "origin", "access-control-expose-headers": "*"}

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """Raises :class:`NotAuthenticated` unless the token is there, if one is set."""
        if not self.token:
            return
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        given = [credentials.strip()] if scheme.lower() == "bearer" else []
        if "x-api-key" in headers:
            given.append(headers["x-api-key"].strip())
        expected = self.token.encode()
        # Every candidate is compared, so that the time tells nothing.
        if not any([hmac.compare_digest(candidate.encode(), expected) for candidate in given]):  # noqa: C419
            raise NotAuthenticated(
                "The proxy's token is missing or wrong. Send it as 'Authorization: Bearer <token>' or 'x-api-key'."
            )

    def _known(self, origin: str, host: str) -> bool:
        if "*" in self.origins or origin in self.origins:
            return True
        try:
            name = _hostname(urlsplit(origin).netloc)
        except ValueError:
            return False
        if not name:
            return False
        return is_loopback(name) if self.loopback else name == host


def preflight(headers: Mapping[str, str]) -> dict[str, str]:
    """What a browser wants to know before it asks; also whether a page from outside may ask a private address."""
    told = {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": headers.get("access-control-request-headers", "*"),
        "access-control-max-age": "600",
    }
    if headers.get("access-control-request-private-network") == "true":
        told["access-control-allow-private-network"] = "true"
    return told


def _hostname(netloc: str) -> str:
    """The name in ``name:port`` or ``[v6]:port``, lower case, without a final dot."""
    netloc = netloc.rpartition("@")[2].strip().lower()
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0]
    return netloc.partition(":")[0].rstrip(".")
