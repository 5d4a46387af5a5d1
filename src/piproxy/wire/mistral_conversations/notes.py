"""What the parser must know about its request."""

from __future__ import annotations

from dataclasses import dataclass

from piproxy.chat import Chat
from piproxy.wire.room import WireRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    wire_id: str = ""
    """Part of the ids of calls that come without one."""
    prompt: Chat | None = None
    """To estimate the usage of an answer that was not counted."""


def notes_of(request: WireRequest) -> Notes:
    """The notes, or empty ones for a request from elsewhere."""
    return request.notes if isinstance(request.notes, Notes) else Notes()
