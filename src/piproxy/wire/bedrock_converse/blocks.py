"""Content parts as Bedrock's content blocks (wire reference, 5.3)."""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from piproxy.chat import Audio, File, Image, Part
from piproxy.errors import InvalidRequest, NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json

EMPTY: Final = "<empty>"
"""Stands where Bedrock insists on a text and there is none (pi's word)."""

_IMAGES: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS: Final = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
_BY_TYPE: Final = {
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}


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
        raise NeedsInlineImages("This API takes images only as base64 data URIs.", param="messages")
    if image.media_type not in _IMAGES:
        raise InvalidRequest(
            f"This API takes no images of the type {image.media_type}.",
            param="messages",
            code="unsupported_image_type",
            part=image,
        )
    return {"format": _IMAGES[image.media_type], "source": {"bytes": image.data_value}}


def _document(file: File) -> dict[str, Json]:
    if file.data is None:
        raise UnsupportedParameter(
            "This API has no stored files.",
            advice="Send the file's data instead of its id.",
            param="messages",
            part=file,
        )
    head, comma, data = file.data.partition(",") if file.data.startswith("data:") else ("", "", file.data)
    name, dot, extension = (file.filename or "document").rpartition(".")
    if comma and not head.endswith(";base64"):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return {
        "format": _format(file, head[5:].split(";", 1)[0].lower(), extension.lower() if dot else ""),
        "name": _document_name(name if dot else extension),
        "source": {"bytes": data},
    }


def _format(file: File, media_type: str, extension: str) -> str:
    """By the name, else by the type; a file that says neither is a PDF, as it was at first in OpenAI's API."""
    if extension in _DOCUMENTS:
        return extension
    known = _BY_TYPE.get(media_type) or ("txt" if media_type.startswith("text/") else "")
    if known or not media_type:
        return known or "pdf"
    raise InvalidRequest(f"This API takes no documents of the type {media_type}.", param="messages", part=file)


def _document_name(name: str) -> str:
    """Letters, digits, single spaces and ``-()[]``; nothing else is accepted."""
    return re.sub(r"\s+", " ", re.sub(r"[^A-Za-z0-9\s()\[\]-]", " ", name)).strip()[:200] or "document"
