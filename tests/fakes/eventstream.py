"""Event-stream bytes as AWS sends them."""

from __future__ import annotations

import json
import struct
from zlib import crc32

from piproxy.jsontext import Json


def raw(payload: bytes, headers: bytes = b"") -> bytes:
    """One message with right checksums around ready-made headers."""
    start = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start += struct.pack(">I", crc32(start))
    body = start + headers + payload
    return body + struct.pack(">I", crc32(body))


def header(name: str, value: bytes) -> bytes:
    """``value`` begins with the type."""
    return bytes([len(name)]) + name.encode() + value


def text(name: str, value: str) -> bytes:
    return header(name, b"\x07" + struct.pack(">H", len(value.encode())) + value.encode())


def event(name: str, payload: Json) -> bytes:
    headers = text(":event-type", name) + text(":content-type", "application/json") + text(":message-type", "event")
    return raw(json.dumps(payload).encode(), headers)


def exception(name: str, payload: Json) -> bytes:
    headers = text(":exception-type", name) + text(":message-type", "exception")
    return raw(json.dumps(payload).encode(), headers)


def error(code: str, message: str) -> bytes:
    return raw(b"", text(":error-code", code) + text(":error-message", message) + text(":message-type", "error"))
