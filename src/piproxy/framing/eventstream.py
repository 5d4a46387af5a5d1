"""AWS binary event streams (``application/vnd.amazon.eventstream``), cut anywhere (wire reference, 5.7).

One message is: total length (u32), length of the headers (u32), CRC-32 of these eight bytes, headers, payload, CRC-32
of everything before it; all big-endian. A header is a name (u8 length and text), a type (u8) and a value. The prelude
is checked before its lengths are believed, so that a damaged length cannot make us wait for bytes that never come.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from zlib import crc32

from piproxy.errors import UpstreamBroken

MAX_MESSAGE: Final = 32 * 1024 * 1024
"""Bytes that one message may have; AWS itself allows 24 MiB of payload."""
MAX_HEADERS: Final = 128 * 1024

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_SMALLEST: Final = _PRELUDE.size + _CRC.size
_NUMBERS: Final = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_TIMESTAMP: Final = 8
_BYTES: Final = 6
_STRING: Final = 7
_UUID: Final = 9

HeaderValue: TypeAlias = bool | int | bytes | str
"""A timestamp is milliseconds since 1970, a UUID its 16 bytes."""


@dataclass(frozen=True, slots=True)
class Message:
    headers: Mapping[str, HeaderValue]
    payload: bytes

    def text(self, name: str) -> str:
        """A header's text; ``""`` when it is missing or no text."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class EventStreamReader:
    """Bytes in, messages out. Raises :class:`UpstreamBroken` for a wrong checksum, length or header.

    Messages before a damaged one in the same bytes are given first; the next call raises.
    """

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max = max_message
        self._buffer = bytearray()
        self._total = 0  # of the message at the front; 0 while its prelude is not known
        self._headers = 0
        self._damage: UpstreamBroken | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Messages that became complete."""
        if self._damage is not None:
            raise self._damage
        messages: list[Message] = []
        try:
            self._read(data, messages)
        except UpstreamBroken as damage:
            if not messages:
                raise
            self._damage = damage
        return messages

    def _read(self, data: bytes, messages: list[Message]) -> None:
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _PRELUDE.size:
            if not self._total:
                self._prelude(bytes(buffer[at : at + _PRELUDE.size]))
            if len(buffer) - at < self._total:
                break
            messages.append(self._message(bytes(buffer[at : at + self._total])))
            at += self._total
            self._total = 0
        del buffer[:at]

    def end(self) -> list[Message]:
        """The connection ended, which completes nothing; raises :class:`UpstreamBroken` inside a message."""
        if self._damage is not None:
            raise self._damage
        if self._buffer:
            raise UpstreamBroken("The provider's event stream ended inside a message.")
        return []

    def _prelude(self, prelude: bytes) -> None:
        total, headers, checksum = _PRELUDE.unpack(prelude)
        if crc32(prelude[:8]) != checksum:
            raise UpstreamBroken("The provider's event stream has a wrong prelude checksum.")
        if total < _SMALLEST + headers or headers > MAX_HEADERS:
            raise UpstreamBroken("The provider's event stream has impossible lengths.")
        if total > self._max:
            raise UpstreamBroken(f"The provider sent a message of more than {self._max} bytes.")
        self._total, self._headers = total, headers

    def _message(self, raw: bytes) -> Message:
        (checksum,) = _CRC.unpack(raw[-_CRC.size :])
        if crc32(raw[: -_CRC.size]) != checksum:
            raise UpstreamBroken("The provider's event stream has a wrong message checksum.")
        split = _PRELUDE.size + self._headers
        return Message(_headers(raw[_PRELUDE.size : split]), raw[split : -_CRC.size])


def _headers(raw: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(raw):
            end = at + 1 + raw[at]
            name = raw[at + 1 : end].decode()
            headers[name], at = _value(raw[end], raw, end + 1)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise UpstreamBroken("The provider's event stream has a header that cannot be read.") from error
    if at > len(raw):
        raise UpstreamBroken("The provider's event stream has a header that is cut off.")
    return headers


def _value(kind: int, raw: bytes, at: int) -> tuple[HeaderValue, int]:
    """The value that begins at ``at``, and where the next header begins (beyond the end: it was cut off)."""
    if kind in (0, 1):
        return kind == 0, at
    if kind == _TIMESTAMP:
        kind = 5
    if number := _NUMBERS.get(kind):
        (value,) = number.unpack_from(raw, at)
        return int(value), at + number.size
    if kind == _UUID:
        return raw[at : at + 16], at + 16
    if kind not in (_BYTES, _STRING):
        raise UpstreamBroken(f"The provider's event stream has a header of the unknown type {kind}.")
    (size,) = struct.unpack_from(">H", raw, at)
    value = raw[at + 2 : at + 2 + size]
    return (value.decode() if kind == _STRING else value), at + 2 + size
