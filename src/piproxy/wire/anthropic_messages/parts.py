"""Parts of a message as content blocks (wire-native-apis.md, 2.6). Nothing that was said is changed or joined."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from piproxy.chat import Audio, Content, File, Image, Part, Refusal, Text
from piproxy.errors import InvalidRequest, NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json

Block = dict[str, Json]

_PDF_MAGIC: Final = "JVBERi0"
"""The base64 of ``%PDF-``."""
_PDF: Final = "application/pdf"
_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")


def blocks(content: Content | None, *, remote_images: bool) -> list[Block]:
    """The blocks of a content. Blank texts are left out: Anthropic refuses them."""
    if content is None:
        return []
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    return [_block(part, remote_images=remote_images) for part in content if not _blank(part)]


def text_block(text: str, cache_control: Json = None) -> Block:
    """A text block, with a cache mark if there is one."""
    return _marked({"type": "text", "text": text}, cache_control)


def _blank(part: Part) -> bool:
    return isinstance(part, Text | Refusal) and not part.text.strip()


def _marked(block: Block, cache_control: Json) -> Block:
    if cache_control is not None:
        block["cache_control"] = cache_control
    return block


def _block(part: Part, *, remote_images: bool) -> Block:
    match part:
        case Text():
            return text_block(part.text, part.cache_control)
        case Refusal():
            return text_block(part.text)
        case Image():
            return _marked({"type": "image", "source": _image_source(part, remote=remote_images)}, part.cache_control)
        case File():
            return _marked(_document(part), part.cache_control)
        case Audio():
            raise UnsupportedParameter("This model's API takes no audio.", param="messages", part=part)


def _image_source(image: Image, *, remote: bool) -> Block:
    if not image.remote:
        return {"type": "base64", "media_type": image.media_type, "data": image.data_value}
    if not remote:
        raise NeedsInlineImages(
            "This model's provider takes images only as data: URIs with base64, not as addresses.", param="messages"
        )
    return {"type": "url", "url": image.url}


def _document(file: File) -> Block:
    """A PDF or a text; an image that came as a file becomes an image."""
    if file.data is None:
        raise UnsupportedParameter(
            "This model's API cannot read files by id.", advice="Send the file's data.", param="messages", part=file
        )
    media_type, data = _file_data(file)
    if media_type in _IMAGES:
        return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
    if media_type == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": data}
    elif media_type.startswith("text/") or media_type in ("application/json", "application/xml"):
        source = {"type": "text", "media_type": "text/plain", "data": _decoded(file, data)}
    else:
        raise InvalidRequest(
            f"This model's API takes PDF and text files, not {media_type}.", param="messages", part=file
        )
    block: Block = {"type": "document", "source": source}
    if file.filename:
        block["title"] = file.filename
    return block


def _file_data(file: File) -> tuple[str, str]:
    """Media type (lower case) and base64 of a ``data:`` URI, or of plain base64 whose type its start or name tells."""
    data = file.data or ""
    if data.startswith("data:"):
        head, _, rest = data[5:].partition(",")
        if head.endswith(";base64"):
            return head.split(";")[0].lower() or "text/plain", rest
        raise InvalidRequest("The data: URI of a file must be base64.", param="messages", part=file)
    if data.startswith(_PDF_MAGIC) or (file.filename or "").lower().endswith(".pdf"):
        return _PDF, data
    return "text/plain", data


def _decoded(file: File, data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest("A text file must be base64 of UTF-8 text.", param="messages", part=file) from None
