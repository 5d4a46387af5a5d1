"""Finds the module of a login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.upstream.oauth import (
    anthropic,
    github_copilot,
    kimi_coding,
    meta,
    openai,
    openai_codex,
    openrouter,
    radius,
    xai,
)
from piproxy.upstream.oauth.parts import Flow

FLOWS: Final[Mapping[str, Flow]] = {
    "anthropic": anthropic,
    "github-copilot": github_copilot,
    "kimi-coding": kimi_coding,
    "meta": meta,
    "openai": openai,
    "openai-codex": openai_codex,
    "openrouter": openrouter,
    "radius": radius,
    "xai": xai,
}
