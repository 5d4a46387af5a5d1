"""Which environment variables configure which provider, as data (pi-on-disk.md, 3.1).

The order is pi's registration order, which is the order of its model lists. A variable that is unset or holds only
white space is absent. Providers whose variables are more than a key are told apart in :mod:`piproxy.pi.special_logins`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

KEY_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "amazon-bedrock": ("AWS_BEARER_TOKEN_BEDROCK",),
    "ant-ling": ("ANT_LING_API_KEY",),
    "anthropic": ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_OAUTH_TOKEN", "ANTHROPIC_API_KEY"),
    "azure": ("AZURE_OPENAI_API_KEY",),
    "baseten": ("BASETEN_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cloudflare-ai-gateway": ("CLOUDFLARE_API_KEY",),
    "cloudflare-workers-ai": ("CLOUDFLARE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "github-copilot": ("COPILOT_GITHUB_TOKEN",),
    "google": ("GEMINI_API_KEY",),
    "google-vertex": ("GOOGLE_CLOUD_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "huggingface": ("HF_TOKEN",),
    "kimi-coding": ("KIMI_API_KEY",),
    "meta": ("META_API_KEY",),
    "minimax": ("MINIMAX_API_KEY",),
    "minimax-cn": ("MINIMAX_CN_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "moonshotai": ("MOONSHOT_API_KEY",),
    "moonshotai-cn": ("MOONSHOT_API_KEY",),
    "nvidia": ("NVIDIA_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openai-codex": (),
    "opencode": ("OPENCODE_API_KEY",),
    "opencode-go": ("OPENCODE_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "qwen-token-plan": ("QWEN_TOKEN_PLAN_API_KEY",),
    "qwen-token-plan-cn": ("QWEN_TOKEN_PLAN_CN_API_KEY",),
    "qwen-token-plan-individual": ("QWEN_TOKEN_PLAN_API_KEY",),
    "qwen-token-plan-individual-cn": ("QWEN_TOKEN_PLAN_CN_API_KEY",),
    "radius": ("RADIUS_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
    "typesafe": ("TYPESAFE_API_KEY",),
    "vercel-ai-gateway": ("AI_GATEWAY_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "xiaomi": ("XIAOMI_API_KEY",),
    "xiaomi-token-plan-ams": ("XIAOMI_TOKEN_PLAN_AMS_API_KEY",),
    "xiaomi-token-plan-cn": ("XIAOMI_TOKEN_PLAN_CN_API_KEY",),
    "xiaomi-token-plan-sgp": ("XIAOMI_TOKEN_PLAN_SGP_API_KEY",),
    "zai": ("ZAI_API_KEY",),
    "zai-coding-cn": ("ZAI_CODING_CN_API_KEY",),
}
"""Provider -> the variables that hold its key, first wins."""

PROVIDERS: Final = tuple(KEY_VARIABLES)
"""All built-in providers, in pi's order."""

OAUTH: Final = frozenset(
    (
        "anthropic",
        "github-copilot",
        "kimi-coding",
        "meta",
        "openai",
        "openai-codex",
        "openrouter",
        "radius",
        "xai",
    )
)
"""Providers that can store a login."""

_AZURE: Final = (
    "AZURE_OPENAI_BASE_URL",
    "AZURE_OPENAI_RESOURCE_NAME",
    "AZURE_OPENAI_API_VERSION",
    "AZURE_OPENAI_DEPLOYMENT_NAME_MAP",
)

SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "amazon-bedrock": (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_BEDROCK_SKIP_AUTH",
        "AWS_BEDROCK_FORCE_CACHE",
    ),
    "anthropic": ("PIPROXY_CLAUDE_CODE_VERSION",),
    "azure": _AZURE,
    "azure-openai-responses": _AZURE,
    "cloudflare-ai-gateway": ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID"),
    "cloudflare-workers-ai": ("CLOUDFLARE_ACCOUNT_ID",),
    "google-vertex": ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    "llama.cpp": ("LLAMA_BASE_URL",),
    "kimi-coding": ("KIMI_CODE_OAUTH_HOST", "KIMI_OAUTH_HOST"),
}
"""Provider -> variables that are no secrets and that its requests depend on."""

ALIASES: Final[Mapping[str, str]] = {"azure": "azure-openai-responses", "azure-openai-responses": "azure"}
"""A provider's other id, of an older or newer pi."""


def value(environ: Mapping[str, str], name: str) -> str | None:
    """A variable's value as it is; ``None`` when it is unset or holds only white space."""
    text = environ.get(name, "")
    return text if text.strip() else None


def first(environ: Mapping[str, str], names: Iterable[str]) -> tuple[str, str] | None:
    """``(name, value)`` of the first variable that is present."""
    for name in names:
        text = value(environ, name)
        if text is not None:
            return name, text
    return None


def key_variables(provider: str) -> tuple[str, ...]:
    """The provider's key variables, its other id included; empty for a provider that is not built in."""
    return KEY_VARIABLES.get(provider) or KEY_VARIABLES.get(ALIASES.get(provider, ""), ())
