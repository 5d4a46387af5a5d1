"""Errors: as those of OpenAI's Responses API; a blocked prompt is ``content_filter``."""

from __future__ import annotations

from piproxy.wire.openai_responses.failure import parse_failure

__all__ = ["parse_failure"]
