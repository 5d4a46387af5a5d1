"""Which addresses count as public."""

from __future__ import annotations

import pytest

from piproxy.upstream.addresses import is_odd, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.170.2",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "",
        "localhost",
        "2130706433",
    ],
)
def test_addresses_that_are_no_public_server(address: str) -> None:
    """Private, local, reserved, multicast and cloud-metadata addresses, and IPv6 forms with an IPv4 address inside."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "11.0.0.1", "2606:4700:4700::1111", "2a00:1450::1"],
)
def test_public_addresses(address: str) -> None:
    """The neighbours of the refused ranges are public."""
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7F.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "0x",
        "1.2.3.4.5",
        "256.1.1.1",
        "example.127",
        "127.0.0.1.",
    ],
)
def test_numbers_that_resolvers_take_for_addresses(host: str) -> None:
    """Decimal, octal, hexadecimal and shortened IPv4 addresses."""
    assert is_odd(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "example.com", "example.com.", "1e100.net", "0x7f.example", "::1", ""])
def test_plain_hosts(host: str) -> None:
    """Names, and the one spelling of an address that is the same everywhere."""
    assert not is_odd(host)
