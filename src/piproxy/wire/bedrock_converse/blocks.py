"""Content parts as Bedrock's content blocks (wire reference, 5.3)."""

from __future__ import annotations

import base64
import mimetypes
import re
from typing import Final

from piproxy.chat import Audio, File, Image, Part
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json

EMPTY: Final = "<empty>"
"""Stands where Bedrock insists on a text and there is none (pi's word)."""

_IMAGES: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS: Final = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")


def block(part: Part) -> dict[str, Json] | None:
    """The block of a part; ``None`` for a text without anything to see, which is refused.

    Raises :class:`InvalidRequest` for what cannot be sent inline.
    """
    match part:
        case Image():
            return {"image": _image(part)}
        case File():
            return {"document": _document(part)}
        case Audio():
            return {"audio": {"format": part.format, "source": {"bytes": part.data}}}
        case _:
            return text(part.text)


def text(value: str) -> dict[str, Json] | None:
    return {"text": value} if value.strip() else None


def pruned(value: Json) -> Json:
    """Without members that have an empty name, which Bedrock's documents cannot hold."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if key}
    if isinstance(value, list):
        return [pruned(item) for item in value]
    return value


def _image(image: Image) -> dict[str, Json]:
    if image.remote:
        raise InvalidRequest(
            "This API takes images only as base64 data URIs.", param="messages", code="unsupported_image_url"
        )
    if image.media_type not in _IMAGES:
        raise InvalidRequest(
            f"This API takes no images of the type {image.media_type}.", param="messages", code="unsupported_image_type"
        )
    return {"format": _IMAGES[image.media_type], "source": {"bytes": image.data}}


def _document(file: File) -> dict[str, Json]:
    if file.data is None:
        raise InvalidRequest("This API has no stored files; send the file's data instead of its id.", param="messages")
    head, comma, data = file.data.partition(",") if file.data.startswith("data:") else ("", "", file.data)
    media_type = head[5:].split(";", 1)[0] if comma else mimetypes.guess_type(file.filename or "")[0]
    name, _, extension = (file.filename or "document").rpartition(".")
    if not name:
        name, extension = extension, ""
    format_ = extension.lower() if extension.lower() in _DOCUMENTS else _format(media_type)
    if comma and not head.endswith(";base64"):
        data = base64.b64encode(data.encode()).decode()
    return {"format": format_, "name": _document_name(name), "source": {"bytes": data}}


def _format(media_type: str | None) -> str:
    if media_type is None:
        return "pdf"
    known = {"text/plain": "txt", "text/markdown": "md", "text/html": "html", "text/csv": "csv"}
    guessed = known.get(media_type) or (mimetypes.guess_extension(media_type) or "").removeprefix(".")
    if guessed not in _DOCUMENTS:
        raise InvalidRequest(f"This API takes no documents of the type {media_type}.", param="messages")
    return guessed


def _document_name(name: str) -> str:
    """Letters, digits, single spaces and ``-()[]``; nothing else is accepted."""
    return re.sub(r"\s+", " ", re.sub(r"[^A-Za-z0-9\s()\[\]-]", " ", name)).strip()[:200] or "document"
