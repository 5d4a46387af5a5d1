"""What a model's entry says about its endpoint: pi's compat flags with pi's defaults (wire-native-apis.md, 2.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from piproxy.model import Model, per_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Compat:
    """Read once per request."""

    native: bool
    """Claude at Anthropic itself (pi marks such entries ``supportsStrictTools``): strict tools and
    ``output_config.format`` work, and from 4.6 on no answer can be prefilled."""
    eager_tool_input: bool
    long_cache: bool
    cache_on_tools: bool
    temperature: bool
    empty_signatures: bool
    later_system: bool
    """System messages may stand in the middle of the conversation."""
    adaptive: bool
    """Thinking is adaptive with an effort; otherwise it has a budget."""
    always_thinks: bool
    affinity_header: str | None
    remote_images: bool
    fallbacks: tuple[str, ...]
    kind: Literal["copilot", "other"]


@per_model
def compat_of(model: Model) -> Compat:
    """The flags of ``model``; unknown keys and values of a wrong type count as absent."""

    def flag(name: str, *, default: bool) -> bool:
        value = model.compat.get(name)
        return value if isinstance(value, bool) else default

    host = urlsplit(model.base_url).hostname or ""
    adaptive = flag("forceAdaptiveThinking", default=False)
    always_thinks = model.reasoning and model.thinking_level_map.get("off", "") is None
    native = flag("supportsStrictTools", default=False)
    return Compat(
        native=native,
        eager_tool_input=flag("supportsEagerToolInputStreaming", default=True),
        long_cache=flag("supportsLongCacheRetention", default=True),
        cache_on_tools=flag("supportsCacheControlOnTools", default=True),
        temperature=flag("supportsTemperature", default=True)
        and not flag("supportsMidConvoEffort", default=False)
        and not (adaptive and always_thinks),
        empty_signatures=flag("allowEmptySignature", default=False),
        later_system=flag("supportsMidConvoSystemMessages", default=False),
        adaptive=adaptive,
        always_thinks=always_thinks,
        affinity_header=_affinity_header(model, host),
        remote_images=native or host == "api.anthropic.com",
        fallbacks=_fallbacks(model),
        kind="copilot" if model.provider == "github-copilot" else "other",
    )


def _affinity_header(model: Model, host: str) -> str | None:
    """The header that keeps a conversation on one machine, if the endpoint has one."""
    if model.provider in ("opencode", "opencode-go"):
        return "x-opencode-session"
    if model.provider == "github-copilot":
        return None
    openrouter = model.provider == "openrouter" or host == "openrouter.ai" or host.endswith(".openrouter.ai")
    if not model.compat.get("sendSessionAffinityHeaders", openrouter):
        return None
    format_ = model.compat.get("sessionAffinityFormat", "openrouter" if openrouter else None)
    return "x-session-id" if format_ == "openrouter" else "x-session-affinity"


def _fallbacks(model: Model) -> tuple[str, ...]:
    given = model.compat.get("allowedFallbackModels")
    if not isinstance(given, list):
        return ()
    return tuple(entry["model"] for entry in given if isinstance(entry, dict) and isinstance(entry.get("model"), str))
