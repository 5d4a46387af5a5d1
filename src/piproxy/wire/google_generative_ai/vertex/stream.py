"""Vertex answers as Gemini's own API does."""

from __future__ import annotations

from piproxy.wire.google_generative_ai.stream import stream_parser

__all__ = ["stream_parser"]
