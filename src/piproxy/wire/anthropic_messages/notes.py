"""What the answer's parser must know about the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from piproxy.chat import Chat
from piproxy.toolids import ANTHROPIC, IdMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Made by ``build_request``, read by the parser."""

    model: str = ""
    """``provider/model-id``: signatures are of use only to the model that made them."""
    client_names: Mapping[str, str] = field(default_factory=dict)
    """Tool name on the wire -> the client's spelling, where they differ; keys in lower case."""
    custom: frozenset[str] = frozenset()
    """The client's names of free-text tools, which travel as functions with one string."""
    answer_tool: str | None = None
    """A made-up tool whose arguments are the answer text (``response_format`` without native support)."""
    ids: IdMap = field(default_factory=lambda: IdMap(ANTHROPIC))
    wire_id: str = ""
    """For ids of calls that came without one."""
    prompt: Chat | None = None
    """For an estimate, when the provider counts nothing."""
