"""The settings in force, as the rest of piproxy reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from piproxy.settings.addresses import Address, read_address
from piproxy.settings.schema import BY_KEY, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; times in seconds. A field is named as its key in proxy-config.json, in snake case."""

    host: str = "127.0.0.1"
    port: int = 4141
    """0: any free port."""
    bind: tuple[str, ...] = ()
    unix: str = ""
    """Empty: no unix socket."""
    certfile: str = ""
    """Empty: no HTTPS, unless :attr:`tls_self_signed`."""
    keyfile: str = ""
    tls_self_signed: bool = False
    workers: int = 1
    auth_token: str = field(default="", repr=False)
    """Empty: none is asked for."""
    remote_images: bool = False
    max_body_size_mb: float = 50.0
    upstream_timeout_sec: float = 120.0

    public_model_id_mode: Literal["collision-prefixed", "universal", "always-prefixed"] = "collision-prefixed"
    model_exposure_mode: Literal["all", "scoped", "custom", "enabled"] = "all"
    scoped_providers: tuple[str, ...] = ()
    custom_models: tuple[str, ...] = ()
    provider_prefixes: Mapping[str, str] = field(default_factory=dict)

    strictness: Literal["strict", "warn", "pass"] = "strict"
    connect_timeout_sec: float = 10.0
    first_byte_timeout_sec: float = 120.0
    """Already the upstream timeout where nothing else was set."""
    idle_timeout_sec: float = 120.0
    """Already the upstream timeout where nothing else was set."""
    total_timeout_sec: float = 0.0
    """0: no limit."""
    client_stall_timeout_sec: float = 60.0
    """0: off."""
    keep_alive_sec: float = 15.0
    """Interval of comments in a silent stream; 0: off."""
    idle_connection_sec: float = 75.0
    drain_sec: float = 10.0
    max_concurrency: int = 0
    """0: no limit."""
    max_queue: int = 100
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    log_format: Literal["human", "json"] = "human"
    cache_retention: Literal["none", "short", "long"] = "short"
    catalog: Literal["auto", "snapshot", "installed"] = "auto"
    demo: bool = False
    lifetime: Literal["session", "detached"] = "session"
    zed: Mapping[str, str | bool] = field(default_factory=lambda: {"providerName": "Pi Proxy", "autoSync": False})

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen: :attr:`bind`, else :attr:`unix` alone (none here), else :attr:`host` and :attr:`port`."""
        if self.bind:
            return tuple(address for text in self.bind if (address := read_address(text)) is not None)
        return () if self.unix else (Address(self.host, self.port),)

    @property
    def max_body_bytes(self) -> int:
        return round(self.max_body_size_mb * 1_048_576)

    @property
    def total_timeout(self) -> float | None:
        """:attr:`total_timeout_sec`, ``None`` for no limit."""
        return self.total_timeout_sec or None


def settings_from(values: Mapping[str, Value]) -> Settings:
    """The record of checked values: all of them, by key of the file."""
    fields: dict[str, Any] = {BY_KEY[key].field: value for key, value in values.items()}
    for name in ("max_body_size_mb", "upstream_timeout_sec", "first_byte_timeout_sec", "idle_timeout_sec"):
        fields[name] = float(fields[name])
    return Settings(**fields)
