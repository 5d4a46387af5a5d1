"""Reading a JSON file that another program may be writing (pi-on-disk.md, 1.4 and 5.1), and writing text as pi does.

pi rewrites its files in place: truncate, then write. A reader without the lock can therefore see an empty file or half
of one, so a text that does not parse is read again a few times before it is called broken.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from piproxy.errors import ConfigError
from piproxy.jsontext import Json, integer

LARGEST: Final = 64 * 1_048_576
"""Bytes of a file; pi's own catalog has one million."""
RETRIES: Final = 5
PAUSE: Final = 0.05
"""Seconds between two attempts on a text that does not parse."""

_STRING_OR_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*')
_STRING_OR_TRAILING_COMMA: Final = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])')


class UnreadableFile(ConfigError):
    """A file of pi's cannot be read; ``line`` is ``None`` when the trouble has no place in the text."""

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        at = f"{path}:{line}" if line else str(path)
        super().__init__(f"{at}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


class Fingerprint(NamedTuple):
    """Equal fingerprints: the file has not changed since it was read."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    """What pi looks at, too: a file that may be read now, or one whose writer put its old time back."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file held, and the fingerprint taken *before* it was read, so that a write in between shows later."""

    value: Json
    fingerprint: Fingerprint | None


def fingerprint(path: Path) -> Fingerprint | None:
    """The file's present fingerprint; ``None`` when there is no such file, or none that we may look at."""
    try:
        return _fingerprint_of(os.stat(path))  # noqa: PTH116 - each request asks this of every file
    except OSError:
        return None


def read(path: Path, *, missing: Json, relaxed: bool = False, sleep: Callable[[float], None] = time.sleep) -> Document:
    """Read and parse ``path``; blocks for up to a quarter of a second on a half-written file.

    ``missing`` is the value when there is no file, or one that stays empty. ``relaxed`` allows what pi allows in
    models.json. Raises :class:`UnreadableFile`.
    """
    looks = 0
    while True:
        looks += 1
        try:
            content, mark = content_of(path)
        except FileNotFoundError:
            return Document(missing, None)
        except OSError as exc:
            raise UnreadableFile(path, exc.strerror or type(exc).__name__) from exc
        if content.strip():
            try:
                return Document(parse(content, path, relaxed=relaxed), mark)
            except UnreadableFile:
                if looks > RETRIES:
                    raise
        elif looks > RETRIES:
            return Document(missing, mark)
        sleep(PAUSE)


def content_of(path: Path) -> tuple[bytes, Fingerprint]:
    """The file's bytes and the fingerprint that it had just before. Raises ``OSError``.

    Never waits: of a pipe in the file's place nobody knows when its writer comes, and whether.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if stat.S_ISFIFO(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, not a file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST // 1_048_576} MiB")
    return content, _fingerprint_of(status)


def parse(content: bytes, path: Path, *, relaxed: bool = False, exact: bool = False) -> Json:
    """Parse a file's bytes; a byte order mark is skipped. Raises :class:`UnreadableFile` with the line.

    As in JavaScript, ``NaN`` and ``Infinity`` are errors, and a byte that is not UTF-8 spoils nothing but its own text.
    In ``relaxed`` text ``//`` comments and trailing commas are allowed. ``exact`` is for whoever writes the value back:
    what would be lost by that is an error.
    """
    try:
        text = content.decode("utf-8-sig", "strict" if exact else "replace")
    except UnicodeDecodeError as exc:
        raise UnreadableFile(path, "not UTF-8", content[: exc.start].count(b"\n") + 1) from exc
    if relaxed:
        text = without_comments(text)
    try:
        return json.loads(text, parse_int=integer, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise UnreadableFile(path, f"{exc.msg} (column {exc.colno})", exc.lineno) from exc
    except (ValueError, RecursionError) as exc:
        raise UnreadableFile(path, str(exc)) from exc


def without_comments(text: str) -> str:
    """Plain JSON of the same line numbers: ``//`` comments and trailing commas outside strings are gone.

    ``/* */`` stays, and so stays an error, as in pi.
    """
    text = _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else "", text)
    return _STRING_OR_TRAILING_COMMA.sub(lambda found: found[0] if found[0][0] == '"' else "", text)


def dump(value: Json) -> bytes:
    """The bytes that pi's ``JSON.stringify(value, null, 2)`` writes; no newline at the end.

    JavaScript's habits are kept: keys that look like array indexes come first, in rising order; ``1.0`` is ``1``; what
    is infinite is ``null``; half a surrogate pair is escaped. Integers keep all their digits, which JavaScript would
    round above 2^53.
    """
    return _text(value, "\n").encode()


def _text(value: Json, newline: str) -> str:
    deeper = newline + "  "
    if isinstance(value, dict):
        members = [f"{_string(key)}: {_text(value[key], deeper)}" for key in _javascript_order(value)]
        return "{" + deeper + f",{deeper}".join(members) + newline + "}" if members else "{}"
    if isinstance(value, list):
        items = [_text(item, deeper) for item in value]
        return "[" + deeper + f",{deeper}".join(items) + newline + "]" if items else "[]"
    if isinstance(value, str):
        return _string(value)
    return _number(value) if isinstance(value, float) else json.dumps(value)


def _string(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "null"
    digits, _, exponent = repr(value).partition("e")
    if -7 < int(exponent or 0) < 21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0") if value else "0"
    return f"{digits}e{int(exponent):+d}"


def _javascript_order(value: dict[str, Json]) -> list[str]:
    indexes = [key for key in value if re.fullmatch("0|[1-9][0-9]{0,9}", key) and int(key) < 2**32 - 1]
    return [*sorted(indexes, key=int), *(key for key in value if key not in indexes)]


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _fingerprint_of(status: os.stat_result) -> Fingerprint:
    return Fingerprint(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
