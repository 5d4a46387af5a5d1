"""``HOST:PORT``, where the server listens."""

from __future__ import annotations

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
