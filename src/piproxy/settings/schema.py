"""Every setting, once: parsing, ``config schema``, the flags' help and the README's table are made from this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["string", "integer", "number", "boolean", "choice", "strings", "addresses", "map", "zed"]
"""``strings``: a list; ``addresses``: those of ``HOST:PORT``; ``map``: an object of strings; ``zed``: Node's own."""

Value: TypeAlias = str | int | float | bool | tuple[str, ...] | Mapping[str, str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An environment variable; its number times ``factor`` is in the setting's unit."""

    name: str
    unit: str = ""
    factor: float = 1.0
    foreign: bool = False
    """Another program's: a value that we do not know is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of proxy-config.json, its environment variable and its flag."""

    key: str
    kind: Kind
    default: Value
    help: str
    unit: str = ""
    low: float | None = None
    """Range in the file, where a value outside is pulled in (as the Node proxy does)."""
    high: float | None = None
    least: float | None = None
    """Range of variables and flags, where a value outside is refused; by default that of the file."""
    most: float | None = None
    choices: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    """The first that is set wins."""
    restart: bool = True
    """A change takes effect at the next start only."""
    secret: bool = False
    flag: bool = True
    node: bool = False
    """The Node proxy has this key too."""

    @property
    def field(self) -> str:
        """The name in :class:`piproxy.settings.Settings`."""
        return re.sub("([A-Z])", r"_\1", self.key).lower()

    @property
    def option(self) -> str:
        """The flag's name."""
        return "--" + re.sub("(-sec|-mb)$", "", self.field.replace("_", "-"))

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The range of variables and flags, in the setting's unit."""
        return (
            self.low if self.least is None else self.least,
            self.high if self.most is None else self.most,
        )


_DAY: Final = 86_400
_MIB: Final = 1 / 1_048_576


def _seconds(key: str, default: float, help: str, *, low: float = 0, high: float = _DAY) -> Setting:
    name = "PI_PROXY_" + re.sub("([A-Z])", r"_\1", key).upper()
    return Setting(
        key=key,
        kind="number",
        default=default,
        help=help,
        unit="s",
        low=low,
        high=high,
        variables=(Variable(name=name, unit="s"),),
    )


SCHEMA: Final[tuple[Setting, ...]] = (
    Setting(
        key="host",
        kind="string",
        default="127.0.0.1",
        help="Address to listen on; 0.0.0.0 listens on every interface.",
        variables=(Variable(name="PI_PROXY_HOST"),),
        node=True,
    ),
    Setting(
        key="port",
        kind="integer",
        default=4141,
        help="Port to listen on; as a flag or variable, 0 takes any free port.",
        low=1,
        high=65_535,
        least=0,
        variables=(Variable(name="PI_PROXY_PORT"),),
        node=True,
    ),
    Setting(
        key="bind",
        kind="addresses",
        default=(),
        help="Addresses to listen on, as HOST:PORT, in place of host and port; may be several.",
        variables=(Variable(name="PI_PROXY_BIND"),),
    ),
    Setting(
        key="unix",
        kind="string",
        default="",
        help="Path of a unix socket to listen on; alone it takes the place of host and port, with bind it is added.",
        variables=(Variable(name="PI_PROXY_UNIX"),),
    ),
    Setting(
        key="certfile",
        kind="string",
        default="",
        help="Certificate chain (PEM) for HTTPS, with HTTP/2 and HTTP/1.1 by ALPN.",
        variables=(Variable(name="PI_PROXY_CERTFILE"),),
    ),
    Setting(
        key="keyfile",
        kind="string",
        default="",
        help="Private key (PEM) of certfile, if it is not in the same file.",
        variables=(Variable(name="PI_PROXY_KEYFILE"),),
    ),
    Setting(
        key="tlsSelfSigned",
        kind="boolean",
        default=False,
        help="HTTPS with a certificate of a local CA, which is written once to pi's directory, below piproxy-tls.",
        variables=(Variable(name="PI_PROXY_TLS_SELF_SIGNED"),),
    ),
    Setting(
        key="workers",
        kind="integer",
        default=1,
        help="Processes that share the addresses; limits and memory of past thinking are each one's own.",
        low=1,
        high=64,
        variables=(Variable(name="PI_PROXY_WORKERS"),),
    ),
    Setting(
        key="authToken",
        kind="string",
        default="",
        help="Token that clients must send as a bearer token or x-api-key; empty asks for none.",
        variables=(Variable(name="PI_PROXY_AUTH_TOKEN"),),
        secret=True,
        node=True,
    ),
    Setting(
        key="remoteImages",
        kind="boolean",
        default=False,
        help="Accept http(s) image addresses: the provider fetches them, or, where it cannot, piproxy does, from "
        "public servers only.",
        variables=(Variable(name="PI_PROXY_REMOTE_IMAGES"),),
        node=True,
    ),
    Setting(
        key="maxBodySizeMb",
        kind="integer",
        default=50,
        help="Largest request body, counted on the bytes that arrive.",
        unit="MB",
        low=1,
        high=500,
        least=_MIB,
        most=4096,
        variables=(Variable(name="PI_PROXY_MAX_BODY_SIZE", unit="bytes", factor=_MIB),),
        node=True,
    ),
    Setting(
        key="upstreamTimeoutSec",
        kind="integer",
        default=120,
        help="Longest silence of a provider: before its first byte, and between two.",
        unit="s",
        low=5,
        high=600,
        least=0.001,
        most=_DAY,
        variables=(Variable(name="PI_PROXY_UPSTREAM_TIMEOUT_MS", unit="ms", factor=0.001),),
        node=True,
    ),
    Setting(
        key="publicModelIdMode",
        kind="choice",
        default="collision-prefixed",
        help="How models are named to clients: with the provider's name only where ids collide, never, or always.",
        choices=("collision-prefixed", "universal", "always-prefixed"),
        variables=(Variable(name="PI_PROXY_PUBLIC_MODEL_ID_MODE"),),
        restart=False,
        node=True,
    ),
    Setting(
        key="modelExposureMode",
        kind="choice",
        default="all",
        help="Which models clients see: all with a credential, those of scopedProviders, those of customModels, or "
        "those that pi's own enabledModels names.",
        choices=("all", "scoped", "custom", "enabled"),
        variables=(Variable(name="PI_PROXY_MODEL_EXPOSURE_MODE"),),
        restart=False,
        node=True,
    ),
    Setting(
        key="scopedProviders",
        kind="strings",
        default=(),
        help="Providers to expose in mode scoped.",
        variables=(Variable(name="PI_PROXY_SCOPED_PROVIDERS"),),
        restart=False,
        node=True,
    ),
    Setting(
        key="customModels",
        kind="strings",
        default=(),
        help="Canonical ids (provider/model-id) to expose in mode custom.",
        variables=(Variable(name="PI_PROXY_CUSTOM_MODELS"),),
        restart=False,
        node=True,
    ),
    Setting(
        key="providerPrefixes",
        kind="map",
        default={},
        help="Prefix to use for a provider's models in place of its id.",
        variables=(Variable(name="PI_PROXY_PROVIDER_PREFIXES"),),
        restart=False,
        node=True,
    ),
    Setting(
        key="strictness",
        kind="choice",
        default="strict",
        help="Unknown request fields: refuse them, drop them with a notice, or pass them on.",
        choices=("strict", "warn", "pass"),
        variables=(Variable(name="PI_PROXY_STRICTNESS"),),
    ),
    _seconds("connectTimeoutSec", 10.0, "Longest wait for a connection to a provider.", low=0.1),
    _seconds("firstByteTimeoutSec", 0.0, "Longest wait for a provider's first byte; 0 takes upstreamTimeoutSec."),
    _seconds("idleTimeoutSec", 0.0, "Longest silence between two bytes; 0 takes upstreamTimeoutSec."),
    _seconds("totalTimeoutSec", 0.0, "Longest time for a whole answer; 0 is no limit."),
    _seconds(
        "clientStallTimeoutSec", 60.0, "How long a client may stop reading before its request is ended; 0 is off."
    ),
    _seconds("keepAliveSec", 15.0, "Interval of comments in a stream while the provider is silent; 0 is off."),
    _seconds("idleConnectionSec", 75.0, "How long an idle connection of a client is kept.", low=1),
    _seconds("drainSec", 10.0, "How long running answers may go on after a stop signal.", high=3600),
    Setting(
        key="maxConcurrency",
        kind="integer",
        default=0,
        help="Most requests at a provider at once; 0 is no limit.",
        low=0,
        high=100_000,
        variables=(Variable(name="PI_PROXY_MAX_CONCURRENCY"),),
    ),
    Setting(
        key="maxQueue",
        kind="integer",
        default=100,
        help="Most requests that wait for a free place under maxConcurrency; the next is answered 503.",
        low=0,
        high=100_000,
        variables=(Variable(name="PI_PROXY_MAX_QUEUE"),),
    ),
    Setting(
        key="allowedOrigins",
        kind="strings",
        default=(),
        help="Origins of web pages that may call the proxy; * allows all.",
        variables=(Variable(name="PI_PROXY_ALLOWED_ORIGINS"),),
    ),
    Setting(
        key="allowedHosts",
        kind="strings",
        default=(),
        help="Further Host names that clients may use on a loopback address; * allows all.",
        variables=(Variable(name="PI_PROXY_ALLOWED_HOSTS"),),
    ),
    Setting(
        key="logFormat",
        kind="choice",
        default="human",
        help="Form of the log's lines.",
        choices=("human", "json"),
        variables=(Variable(name="PI_PROXY_LOG_FORMAT"),),
    ),
    Setting(
        key="cacheRetention",
        kind="choice",
        default="short",
        help="How long providers are asked to keep prompt caches.",
        choices=("none", "short", "long"),
        variables=(Variable(name="PI_PROXY_CACHE_RETENTION"), Variable(name="PI_CACHE_RETENTION", foreign=True)),
    ),
    Setting(
        key="catalog",
        kind="choice",
        default="auto",
        help="Model catalog: the newer one, the shipped snapshot, or that of the installed pi.",
        choices=("auto", "snapshot", "installed"),
        variables=(Variable(name="PI_PROXY_CATALOG"),),
    ),
    Setting(
        key="demo",
        kind="boolean",
        default=False,
        help="Add a built-in provider that needs no key and no network.",
        variables=(Variable(name="PI_PROXY_DEMO"),),
    ),
    Setting(
        key="lifetime",
        kind="choice",
        default="session",
        help="For /proxy in pi: whether the proxy ends with the pi that started it, or outlives it.",
        choices=("session", "detached"),
        restart=False,
        flag=False,
        node=True,
    ),
    Setting(
        key="zed",
        kind="zed",
        default={"providerName": "Pi Proxy", "autoSync": False},
        help="For /proxy in pi: the provider's name in Zed's settings, and whether to keep it up to date.",
        restart=False,
        flag=False,
        node=True,
    ),
)

BY_KEY: Final[Mapping[str, Setting]] = {setting.key: setting for setting in SCHEMA}
