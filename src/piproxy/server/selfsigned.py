"""``--tls-self-signed``: a certificate from an authority of this machine's own, made once and renewed in time.

Making certificates needs ``cryptography``, which is too heavy for everybody to install: the extra ``tls`` brings it,
and :mod:`piproxy.server.authority` is only imported when the setting is on.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.settings import Address

FOLDER: Final = "piproxy-tls"
NETWORKS: Final = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
"""The authority signs for no other IP addresses."""


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """Where the files are, and whether clients must learn to trust a new authority."""

    folder: Path
    fresh: bool

    @property
    def certfile(self) -> Path:
        return self.folder / "cert.pem"

    @property
    def keyfile(self) -> Path:
        return self.folder / "key.pem"

    @property
    def advice(self) -> str:
        """How clients come to trust it."""
        ca = self.folder / "ca.pem"
        what = "A new certificate authority for this machine was made" if self.fresh else "The certificate is signed by"
        return (
            f"{what}: {ca}. Clients must trust it: curl --cacert {ca}; Python SSL_CERT_FILE={ca}; Node "
            f"NODE_EXTRA_CA_CERTS={ca}; for browsers add it to the system's certificates."
        )


def self_signed(root: Path, addresses: tuple[Address, ...], now: datetime | None = None) -> SelfSigned:
    """The certificate below ``root``, made or renewed if need be. Raises :class:`~piproxy.errors.ConfigError`."""
    try:
        from piproxy.server.authority import issued  # noqa: PLC0415
    except ImportError as exc:
        raise ConfigError(
            "tlsSelfSigned needs the package cryptography: pip install 'piproxy[tls]'. Or make a certificate yourself "
            "and use --certfile and --keyfile."
        ) from exc
    folder = root / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SelfSigned(folder, issued(folder, _host(), names(addresses), NETWORKS, now or datetime.now(UTC)))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{folder}: {exc}. Remove that folder, and a new one is made at the next start.") from exc


def names(addresses: tuple[Address, ...]) -> tuple[str, ...]:
    """What clients may call this server."""
    host = _host()
    found = ["localhost", "127.0.0.1", "::1", host, host if "." in host else f"{host}.local"]
    found += [address.host.lower() for address in addresses if _ours(address.host)]
    return tuple(dict.fromkeys(found))


def _ours(host: str) -> bool:
    """A name, or an address in a private network; not one that means all interfaces."""
    try:
        ip = ip_address(host)
    except ValueError:
        return True
    return not ip.is_unspecified and any(ip in ip_network(network) for network in NETWORKS)


def _host() -> str:
    return socket.gethostname().lower()
