"""Models as pi's catalog describes them, and short ways to a request of the Messages API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from piproxy import jsontext
from piproxy.chat import Chat, Message, UserMessage
from piproxy.model import Model
from piproxy.wire.anthropic_messages.request import build_request
from piproxy.wire.room import Options, WireRequest

SONNET_45 = Model(
    provider="anthropic",
    id="claude-sonnet-4-5",
    api="anthropic-messages",
    base_url="https://api.anthropic.com",
    reasoning=True,
    input=("text", "image"),
    context_window=200_000,
    max_tokens=64_000,
    compat={"supportsStrictTools": True},
)
"""Thinks with a budget."""
OPUS_46 = replace(
    SONNET_45,
    id="claude-opus-4-6",
    thinking_level_map={"max": "max"},
    compat={"forceAdaptiveThinking": True, "supportsStrictTools": True},
)
"""Thinks adaptively, still takes a temperature."""
OPUS_48 = replace(
    OPUS_46,
    id="claude-opus-4-8",
    thinking_level_map={"xhigh": "xhigh", "max": "max"},
    compat={**OPUS_46.compat, "supportsTemperature": False, "supportsMidConvoSystemMessages": True},
)
FABLE = replace(
    OPUS_46,
    id="claude-fable-5",
    thinking_level_map={"off": None, "xhigh": "xhigh", "max": "max"},
    compat={**OPUS_46.compat, "allowedFallbackModels": [{"provider": "anthropic", "model": "claude-opus-5"}]},
)
"""Always thinks."""
OTHER = replace(SONNET_45, provider="minimax", id="MiniMax-M3", base_url="https://api.minimax.io/anthropic/", compat={})
"""An endpoint that copies the API."""
FIREWORKS = replace(
    OTHER,
    provider="fireworks",
    compat={
        "allowEmptySignature": True,
        "sendSessionAffinityHeaders": True,
        "supportsEagerToolInputStreaming": False,
        "supportsCacheControlOnTools": False,
        "supportsLongCacheRetention": False,
        "forceAdaptiveThinking": True,
    },
    thinking_level_map={"off": "none", "minimal": None, "low": "low", "medium": None, "high": "high", "max": "max"},
)
COPILOT = replace(
    SONNET_45,
    provider="github-copilot",
    base_url="https://api.individual.githubcopilot.com",
    compat={},
    headers={"User-Agent": "GitHubCopilotChat/0.35.0"},
)
CLAUDE_CODE = Options(identity="claude_code")


def chat(*messages: Message, **fields: Any) -> Chat:
    """A chat of these messages, by default of one short question."""
    return Chat(model="m", messages=messages or (UserMessage("Hi"),), **fields)


def request(asked: Chat, model: Model = SONNET_45, options: Options | None = None) -> WireRequest:
    """The request without automatic cache marks, unless ``options`` say otherwise."""
    return build_request(asked, model, options or Options(cache="none"))


def body(asked: Chat, model: Model = SONNET_45, options: Options | None = None) -> dict[str, Any]:
    """Its parsed body."""
    parsed: dict[str, Any] = jsontext.parse(request(asked, model, options).body)
    return parsed
