"""AWS Signature Version 4, for Bedrock (AWS: "Create a signed AWS API request"). Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from piproxy.credential import AwsKeys
from piproxy.headers import get

SERVICE: Final = "bedrock"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def signature(
    method: str,
    url: str,
    headers: Mapping[str, str | None],
    body: bytes,
    keys: AwsKeys,
    *,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """The headers to add: ``X-Amz-Date``, ``X-Amz-Security-Token`` with temporary keys, ``Authorization``.

    ``url`` must be the one that is sent. Signed are ``host``, ``content-type`` and ``x-amz-*``, which is enough.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": stamp}
    if keys.session_token:
        added["X-Amz-Security-Token"] = keys.session_token
    signed = {"host": _host(url)} | {name.lower(): value for name, value in added.items()}
    content_type = get(headers, "content-type")
    if content_type is not None:
        signed["content-type"] = content_type
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method,
            _path(url),
            _query(url),
            *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    proof = _hmac(_key(keys.secret_key, stamp[:8], region), text).hex()
    added["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"
    )
    return added


def _key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _path(url: str) -> str:
    """Every service but S3 encodes the path, as it is sent, once more: ``%3A`` becomes ``%253A``."""
    return quote(urlsplit(url).path or "/", safe="/-_.~")


def _query(url: str) -> str:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))
