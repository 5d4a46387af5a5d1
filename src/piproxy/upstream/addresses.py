"""Which IP addresses are public servers, and which spellings of them nobody needs. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final

_NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; some clouds' metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host, from within a virtual machine
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",
        ),
    )
)
"""IANA's special-purpose registry, and what clouds keep at public addresses. Our own list, since the standard
library's idea of "global" differs between Python's versions."""

_PUBLIC_6: Final = IPv6Network("2000::/3")
"""All that is given out. Outside lie loopback, ``::ffff:0:0/96`` (IPv4-mapped), ``64:ff9b::/96`` and ``64:ff9b:1::/48``
(NAT64), unique local, link-local, site-local and multicast addresses."""

_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address inside
            "3fff::/20",
        ),
    )
)

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def is_public(address: str) -> bool:
    """Can ``address``, a resolved one, be anybody's public server? ``False`` for anything that is no IP address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    return ip.scope_id is None and ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def is_odd(host: str) -> bool:
    """``2130706433``, ``0x7f.1`` or ``127.1``: numbers that resolvers take for an IPv4 address, each in its own way."""
    if not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return True
    return False
