"""What a parser of this room must know about its request."""

from __future__ import annotations

from dataclasses import dataclass

from piproxy.chat import Chat
from piproxy.wire.room import WireRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    stops: tuple[str, ...] = ()
    logprobs: bool = False
    model: str = ""
    """The canonical id; encrypted reasoning is only good for the model that wrote it."""
    wire_id: str = ""
    prompt: Chat | None = None
    """To estimate the usage of an answer that was cut off or not counted."""


def notes_of(request: WireRequest) -> Notes:
    """The notes, or empty ones for a request from elsewhere."""
    return request.notes if isinstance(request.notes, Notes) else Notes()
