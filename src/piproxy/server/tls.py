"""HTTPS: certificates into a context that offers HTTP/2 and HTTP/1.1."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.server.selfsigned import self_signed
from piproxy.settings import Settings

PROTOCOLS: Final = ("h2", "http/1.1")
"""ALPN, in the order of preference."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form; ``advice`` is for whoever starts the server, often empty."""

    certfile: Path
    keyfile: Path | None
    advice: str = ""


def certificate(settings: Settings, root: Path) -> Certificate | None:
    """What the settings say, ``None`` for plain HTTP; one of our own is made below ``root`` when it is missing.

    Raises :class:`~piproxy.errors.ConfigError`.
    """
    if settings.certfile:
        keyfile = Path(settings.keyfile).expanduser() if settings.keyfile else None
        return Certificate(Path(settings.certfile).expanduser(), keyfile)
    if settings.keyfile:
        raise ConfigError("keyfile is set, but certfile is not: the certificate is missing.")
    if settings.tls_self_signed:
        made = self_signed(root, settings.addresses)
        return Certificate(made.certfile, made.keyfile, made.advice)
    return None


def server_context(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    """Raises :class:`~piproxy.errors.ConfigError` with the file that is at fault."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(PROTOCOLS))
    load(context, certfile, keyfile)
    return context


def load(context: ssl.SSLContext, certfile: Path, keyfile: Path | None) -> None:
    """Read the files, again if need be: what was negotiated before stays as it is. Raises as above."""
    for path in (certfile, keyfile or certfile):
        try:
            path.read_bytes()
        except OSError as exc:
            raise ConfigError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    try:
        context.load_cert_chain(certfile, keyfile, password=_nobody_to_ask)
    except (ssl.SSLError, ValueError) as exc:
        pair = f"{certfile} and {keyfile}" if keyfile else f"{certfile} alone (is --keyfile missing?)"
        raise ConfigError(f"{pair}: no certificate with its key in PEM form ({_reason(exc)}).") from exc


def _nobody_to_ask() -> str:
    raise ValueError("the key is encrypted; store it without a passphrase")


def _reason(exc: Exception) -> str:
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "not PEM").replace("_", " ").lower()
    return str(exc)
