"""Radius gateways: whose models they have before anything was fetched (pi-on-disk.md, 6; pi: radius.js)."""

from __future__ import annotations

import re
from typing import Final

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.pi.auth_entry import OAuthEntry, StoredEntry
from piproxy.pi.entries import model_from_entry
from piproxy.pi.models_file import ProviderConfig

RADIUS: Final = "radius"
DEFAULT_GATEWAY: Final = "https://radius.pi.dev"

_API: Final = "pi-messages"


def is_radius(provider: str, config: ProviderConfig | None) -> bool:
    """The built-in provider, or one of the user's own with ``oauth: "radius"``."""
    return provider == RADIUS or (config is not None and config.radius)


def gateway(config: ProviderConfig | None) -> str:
    """The gateway's address: ``baseUrl`` of models.json without ``/v1``, with a scheme, without a final slash."""
    if config is None or not config.radius or not config.base_url:
        return DEFAULT_GATEWAY
    address = re.sub(r"/v1/?$", "", config.base_url)
    if not re.match(r"https?://", address, re.IGNORECASE):
        address = f"https://{address}"
    return address.rstrip("/")


def legacy_models(provider: str, entry: StoredEntry | None) -> tuple[Model, ...]:
    """The catalog that an older pi kept inside the login (``gatewayConfig``)."""
    config: Json = entry.raw.get("gatewayConfig") if isinstance(entry, OAuthEntry) else None
    if not isinstance(config, dict):
        return ()
    base_url, items = config.get("baseUrl"), config.get("models")
    if not isinstance(base_url, str) or not isinstance(items, list):
        return ()
    entries = ({**item, "baseUrl": base_url} for item in items if isinstance(item, dict))
    return tuple(model for entry in entries if (model := model_from_entry(provider, entry, api=_API)) is not None)
