"""``HOST:PORT``, where the server listens."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple


class Address(NamedTuple):
    """A host name or IP address, and a port; 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str) -> Address | None:
    """``127.0.0.1:4141``, ``[::1]:4141``, ``localhost:0``; ``None`` for anything else."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535):
        return None
    return Address(host, int(port))


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """``localhost`` and its subdomains (RFC 6761), and the loopback addresses."""
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def beyond_loopback(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Those that other machines may reach; a name that we do not know is taken for one."""
    return tuple(address for address in addresses if not is_loopback(address.host))
