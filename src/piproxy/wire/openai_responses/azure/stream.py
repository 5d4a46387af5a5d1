"""The answer: as that of OpenAI's Responses API."""

from __future__ import annotations

from piproxy.wire.openai_responses.stream import stream_parser

__all__ = ["stream_parser"]
