"""Radius gateways are found at the address that the user wrote."""

from __future__ import annotations

import pytest

from piproxy.pi.auth_entry import OAuthEntry
from piproxy.pi.models_file import ProviderConfig
from piproxy.pi.radius import DEFAULT_GATEWAY, gateway, is_radius, legacy_models


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://radius.team/v1", "https://radius.team"),
        ("https://radius.team/v1/", "https://radius.team"),
        ("http://localhost:1/", "http://localhost:1"),
        ("radius.team", "https://radius.team"),
        (None, DEFAULT_GATEWAY),
    ],
)
def test_gateway_address(base_url: str | None, expected: str) -> None:
    """Without ``/v1`` and final slashes, with a scheme."""
    assert gateway(ProviderConfig(id="team", radius=True, base_url=base_url)) == expected


def test_who_is_radius() -> None:
    """The built-in provider, and those with ``oauth: "radius"``."""
    assert is_radius("radius", None)
    assert is_radius("team", ProviderConfig(id="team", radius=True))
    assert not is_radius("team", ProviderConfig(id="team"))
    assert gateway(ProviderConfig(id="radius", base_url="https://x/v1")) == DEFAULT_GATEWAY


@pytest.mark.parametrize(
    "config",
    [None, 1, {}, {"baseUrl": "https://x"}, {"baseUrl": 1, "models": []}, {"baseUrl": "https://x", "models": [1]}],
)
def test_old_login_without_a_usable_list(config: object) -> None:
    """Then it brings no models."""
    assert legacy_models("team", OAuthEntry("a", "r", 1, {"gatewayConfig": config})) == ()
    assert legacy_models("team", None) == ()
