"""Finds the room of a pi api id; a room is imported when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from piproxy.wire.room import Room

ROOMS: Final = {
    "openai-completions": "openai_completions",
    "openai-responses": "openai_responses",
    "azure-openai-responses": "openai_responses.azure",
    "openai-codex-responses": "openai_responses.codex",
    "mistral-conversations": "mistral_conversations",
    "anthropic-messages": "anthropic_messages",
    "google-generative-ai": "google_generative_ai",
    "google-vertex": "google_generative_ai.vertex",
    "bedrock-converse-stream": "bedrock_converse",
    "pi-messages": "pi_messages",
    "demo": "demo",
}
"""pi's api id -> the package below :mod:`piproxy.wire`."""


@dataclass(frozen=True, slots=True)
class _Room:
    build_request: Any
    stream_parser: Any
    parse_failure: Any


@cache
def room_for(api: str) -> Room:
    """The room; ``KeyError`` for an api that piproxy does not speak."""
    package = f"piproxy.wire.{ROOMS[api]}"
    return _Room(
        import_module(f"{package}.request").build_request,
        import_module(f"{package}.stream").stream_parser,
        import_module(f"{package}.failure").parse_failure,
    )
