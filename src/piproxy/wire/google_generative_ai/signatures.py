"""Thought signatures: Gemini 3 refuses a history whose function calls lost theirs (wire reference, 1.5).

A signature goes to the client in the shape of Google's own OpenAI-compatible endpoint and comes back in the tool call
(``extra_content``), from this process's memory (``Options.replay``), or, for both clients and processes that forgot it,
as the documented bypass value.
"""

from __future__ import annotations

import re
from typing import Final

from piproxy.jsontext import Json

BYPASS: Final = "skip_thought_signature_validator"
"""Google's documented value for calls that have no signature of this model."""

_FORMAT: Final = "google-gemini-v1"
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?")


def extra_content(signature: str) -> Json:
    """What rides on a tool call for the client."""
    return {"google": {"thought_signature": signature}}


def of_call(extra: Json) -> str | None:
    """The signature that came back with a tool call; ``None`` if there is none that the API would take."""
    google = extra.get("google") if isinstance(extra, dict) else None
    return _usable(google.get("thought_signature")) if isinstance(google, dict) else None


def reasoning_detail(signature: str) -> Json:
    """A signature of a text or thought part, as an item of ``reasoning_details``."""
    return {"type": "reasoning.encrypted", "format": _FORMAT, "data": signature}


def of_details(details: Json) -> str | None:
    """The last signature among ``reasoning_details`` that came back with a turn."""
    found = None
    for detail in details if isinstance(details, list) else (details,):
        if isinstance(detail, dict) and detail.get("format") == _FORMAT:
            found = _usable(detail.get("data")) or found
    return found


def _usable(value: Json) -> str | None:
    """Bytes in base64, or the bypass value; anything else would be a 400."""
    if not isinstance(value, str) or not value:
        return None
    return value if value == BYPASS or _BASE64.fullmatch(value) else None
