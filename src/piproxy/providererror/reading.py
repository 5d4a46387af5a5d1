"""What a provider says about an error, read out of a body of any shape (wire reference, 11.2)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from piproxy import jsontext
from piproxy.jsontext import Json
from piproxy.redact import redact

MAX_MESSAGE: Final = 4000
"""Characters of a provider's text that are passed on."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a provider says about an error. ``message`` is redacted and may be empty; ``code`` is always text."""

    message: str = ""
    type: str | None = None
    code: str | None = None
    param: str | None = None


def complaint(body: bytes) -> Complaint:
    """The complaint in an error body: JSON of any known shape, HTML, plain text or nothing."""
    text = body[: 256 * 1024].decode("utf-8", "replace").strip()
    try:
        value = jsontext.parse(body)
    except (ValueError, RecursionError):
        return Complaint(_clean(_plain(text)))
    found = complaint_in(value)
    return found if found.message else Complaint(_clean(text), found.type, found.code, found.param)


def complaint_in(value: Json) -> Complaint:
    """The complaint in parsed JSON, e.g. one frame of a stream; ``message`` is empty where no known place holds one."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str):
        return Complaint(_clean(_plain(value)))
    if not isinstance(value, dict):
        return Complaint()
    error = value.get("error")
    inner = error if isinstance(error, dict) else {}
    if isinstance(inner.get("error"), dict) and not inner.get("message"):
        inner = inner["error"]
    message = next(filter(None, _messages(value, error, inner)), "")
    raw = _raw(inner)
    if raw and raw not in message:
        message = f"{message}: {raw}" if message else raw
    return Complaint(
        _clean(message),
        _word(inner.get("type"), inner.get("status"), value.get("type"), value.get("__type"), value.get("status")),
        _word(inner.get("code"), value.get("code"), _first_of_errors(value).get("code"), number=True),
        _word(inner.get("param"), value.get("param")),
    )


def _messages(value: Mapping[str, Json], error: Json, inner: Mapping[str, Json]) -> Iterable[str]:
    """Every place where a provider may keep its text, best first."""
    yield _text(inner.get("message"))
    if isinstance(error, str):
        yield error
    yield _text(value.get("message"))
    yield _text(value.get("Message"))
    yield _text(value.get("detail"))
    errors = value.get("errors")
    if isinstance(errors, list):
        yield "; ".join(filter(None, (_text(e.get("message")) if isinstance(e, dict) else _text(e) for e in errors)))
    yield _text(value.get("title"))
    yield _text(inner.get("detail"))
    yield _text(value.get("msg"))
    yield _text(value.get("error_description"))


def _text(value: Json) -> str:
    """A message as text: a string, ``{"detail": …}``, or FastAPI's list of ``{"loc": […], "msg": …}``."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return _text(value.get("detail")) or _text(value.get("message"))
    if isinstance(value, list):
        return "; ".join(filter(None, map(_fault, value)))
    return ""


def _fault(item: Json) -> str:
    if isinstance(item, str):
        return item.strip()
    if not isinstance(item, dict):
        return ""
    text = _text(item.get("msg")) or _text(item.get("message"))
    where = item.get("loc")
    if text and isinstance(where, list) and where:
        return f"{'.'.join(map(str, where))}: {text}"
    return text


def _raw(inner: Mapping[str, Json]) -> str:
    """What stood behind an aggregator's "Provider returned error" (OpenRouter's ``metadata.raw``)."""
    metadata = inner.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, str):
        return raw.strip()
    return "" if raw is None else jsontext.dump(raw).decode()


def _first_of_errors(value: Mapping[str, Json]) -> Mapping[str, Json]:
    errors = value.get("errors")
    return errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}


def _word(*values: Json, number: bool = False) -> str | None:
    """The first that is a usable word. A ``status`` may be an HTTP number, which is no type."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return redact(value.strip()[:200])
        if number and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


_PAGE: Final = re.compile(r"\s*<(!doctype|html|head|body|h1|title|center|\?xml)", re.IGNORECASE)
_HIDDEN: Final = frozenset(("script", "style", "head"))


def _plain(text: str) -> str:
    """Text without HTML, when it is a page: its title, and what it shows.

    One pass without patterns: a page of unclosed tags must not cost more than its length.
    """
    if not _PAGE.match(text):
        return text
    shown: list[str] = []
    title, hidden = "", ""
    for piece in text.split("<")[1:]:
        tag, _, rest = piece.partition(">")
        name = tag.split(maxsplit=1)[0].lower() if tag.strip() else ""
        if name == "title":
            title = title or rest
        elif name in _HIDDEN and not hidden:
            hidden = name
        elif name == f"/{hidden}":
            hidden = ""
        if not hidden and name != "title":
            shown.append(rest)
    body = " ".join(html.unescape(" ".join(shown)).split())
    head = " ".join(html.unescape(title).split())
    return body if head in body else f"{head}: {body}" if body else head


def _clean(text: str) -> str:
    return redact(text.strip()[: 16 * MAX_MESSAGE])[:MAX_MESSAGE]
