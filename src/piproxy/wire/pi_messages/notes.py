"""What the answer's parser must know about the request."""

from __future__ import annotations

from dataclasses import dataclass

from piproxy.chat import Chat


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Made by ``build_request``, read by the parser."""

    model: str = ""
    """``provider/model-id``."""
    custom: frozenset[str] = frozenset()
    """Names of free-text tools, which travel as functions with one string."""
    wire_id: str = ""
    """For ids of calls that came without one."""
    prompt: Chat | None = None
    """For an estimate, when the provider counts nothing."""
