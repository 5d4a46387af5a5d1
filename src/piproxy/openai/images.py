"""Image parts: what a provider could not take is refused here, with its path."""

from __future__ import annotations

import binascii
import re
from typing import Final

from piproxy.errors import InvalidRequest
from piproxy.openai.faults import Path, invalid

TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
MAX_BASE64: Final = 20 * 1024 * 1024
"""Characters of base64 in one image."""

_HEAD: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_MAX_HEAD: Final = 1024
_ALIASES: Final = {"image/jpg": "image/jpeg"}
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PIECE: Final = 256 * 1024
"""Characters that are looked at in one go."""


def checked(url: str, path: Path, *, remote: bool) -> str:
    """The address to carry: a ``data:`` URI with a plain head, or an ``http(s)`` URL where those are allowed.

    Raises :class:`InvalidRequest`.
    """
    if url[:8].lower().startswith(("http://", "https://")):
        if remote:
            return url
        raise invalid(
            path,
            "remote image URLs are not fetched here; send the image as a base64 data URI.",
            code="unsupported_image_url",
        )
    head = _HEAD.match(url, 0, _MAX_HEAD)
    if head is None or not head[2].lower().endswith(";base64"):
        raise _bad(path, "it must be a base64 data URI such as 'data:image/png;base64,…'.")
    media_type = head[1].lower()
    media_type = _ALIASES.get(media_type, media_type)
    if media_type not in TYPES:
        raise _bad(path, f"supported image types are {', '.join(TYPES)}.", code="unsupported_image_type")
    size = len(url) - head.end()
    if size > MAX_BASE64:
        raise _bad(path, f"the image has more than {MAX_BASE64} base64 characters.", code="image_too_large")
    if not _is_base64(url, head.end()):
        raise _bad(path, "the data is not valid base64.")
    plain = f"data:{media_type};base64,"
    return url if head[0] == plain else plain + url[head.end() :]


def _is_base64(text: str, start: int) -> bool:
    """Is everything from ``start`` on base64, and not nothing? Decoded is only the end, where the padding may be."""
    last = start + max(0, len(text) - start - 1) // 4 * 4
    try:
        for at in range(start, last, _PIECE):
            if text[at : min(at + _PIECE, last)].encode("ascii").translate(None, _ALPHABET):
                return False
        return bool(binascii.a2b_base64(text[last:], strict_mode=True))
    except ValueError:  # not base64, or not ASCII
        return False


def _bad(path: Path, reason: str, code: str = "invalid_image_url") -> InvalidRequest:
    return invalid(path, reason, code=code)
