"""Vertex fails as Gemini's own API does."""

from __future__ import annotations

from piproxy.wire.google_generative_ai.failure import parse_failure

__all__ = ["parse_failure"]
