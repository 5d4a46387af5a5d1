"""What one upstream understands: pi's ``compat`` flags, with the defaults that pi detects (wire reference, 3.2).

The flags of the model entry win, one by one, over what provider id and base URL suggest. Nothing here looks at model
names, except where the reference's own table does (OpenRouter's ``anthropic/…`` and ``openai/…``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from piproxy.jsontext import Json
from piproxy.model import Model, per_model

Host: TypeAlias = Literal["openai", "openrouter", "known", "custom"]
"""Who is behind the address. ``openai``: OpenAI itself or Azure; ``known``: a provider that pi ships, with a dialect of
its own; ``custom``: anything else, taken for a full copy of OpenAI until its entry says otherwise."""

_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "zai": ("api.z.ai", "open.bigmodel.cn"),
    "together": ("api.together.ai", "api.together.xyz"),
    "moonshot": ("api.moonshot.",),
    "openrouter": ("openrouter.ai",),
    "cloudflare-workers-ai": ("api.cloudflare.com",),
    "cloudflare-ai-gateway": ("gateway.ai.cloudflare.com",),
    "nvidia": ("integrate.api.nvidia.com",),
    "ant-ling": ("api.ant-ling.com",),
    "cerebras": ("cerebras.ai",),
    "deepseek": ("deepseek.com",),
    "xai": ("api.x.ai",),
    "chutes": ("chutes.ai",),
    "opencode": ("opencode.ai",),
    "groq": ("api.groq.com",),
    "github-copilot": ("githubcopilot.com",),
    "huggingface": ("router.huggingface.co",),
    "fireworks": ("api.fireworks.ai",),
    "baseten": ("inference.baseten.co",),
    "kimi-coding": ("api.kimi.com",),
    "qwen": ("maas.aliyuncs.com", "dashscope"),
    "xiaomi": ("xiaomimimo.com",),
    "vercel": ("ai-gateway.vercel.sh",),
    "azure": (".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com"),
    "openai": ("api.openai.com",),
}
_SAME: Final[Mapping[str, str]] = {
    "zai-coding-cn": "zai",
    "moonshotai": "moonshot",
    "moonshotai-cn": "moonshot",
    "opencode-go": "opencode-go",
    "vercel-ai-gateway": "vercel",
    "azure-openai-responses": "azure",
    **{f"qwen-token-plan{plan}": "qwen" for plan in ("", "-cn", "-individual", "-individual-cn")},
    **{f"xiaomi-token-plan-{region}": "xiaomi" for region in ("ams", "cn", "sgp")},
}
_NON_STANDARD: Final = frozenset(
    (
        "nvidia",
        "cerebras",
        "xai",
        "together",
        "chutes",
        "deepseek",
        "zai",
        "moonshot",
        "opencode",
        "cloudflare-workers-ai",
        "cloudflare-ai-gateway",
        "ant-ling",
    )
)
_NO_EFFORT: Final = frozenset(("xai", "zai", "moonshot", "together", "cloudflare-ai-gateway", "nvidia", "ant-ling"))
_MAX_TOKENS: Final = frozenset(
    ("chutes", "deepseek", "moonshot", "cloudflare-ai-gateway", "together", "nvidia", "ant-ling", "zai")
)
_SHORT_CACHE: Final = frozenset(("together", "cloudflare-workers-ai", "cloudflare-ai-gateway", "nvidia", "ant-ling"))
_FORMATS: Final[tuple[str, ...]] = ("deepseek", "zai", "together", "ant-ling", "openrouter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compat:
    """The flags of one model, all decided. Names and meanings are pi's.

    ``supportsMidConvoToolAdditions`` is not among them: a chat request names all its tools at once.
    """

    vendors: frozenset[str] = frozenset()
    """Which known providers the id and the address point at; usually one or none."""
    host: Host = "custom"
    explicit: frozenset[str] = frozenset()
    """The flags that the model entry itself sets."""

    supportsStore: bool = True  # noqa: N815
    supportsDeveloperRole: bool = True  # noqa: N815
    supportsReasoningEffort: bool = True  # noqa: N815
    supportsUsageInStreaming: bool = True  # noqa: N815
    supportsFinishReason: bool = True  # noqa: N815
    maxTokensField: str = "max_completion_tokens"  # noqa: N815
    requiresToolResultName: bool = False  # noqa: N815
    requiresAssistantAfterToolResult: bool = False  # noqa: N815
    requiresNonNullAssistantContent: bool = False  # noqa: N815
    requiresToolsWithToolHistory: bool = False  # noqa: N815
    requiresThinkingAsText: bool = False  # noqa: N815
    requiresReasoningContentOnAssistantMessages: bool = False  # noqa: N815
    thinkingFormat: str = "openai"  # noqa: N815
    openRouterRouting: Mapping[str, Json] = field(default_factory=dict)  # noqa: N815
    vercelGatewayRouting: Mapping[str, Json] = field(default_factory=dict)  # noqa: N815
    chatTemplateKwargs: Mapping[str, Json] = field(default_factory=dict)  # noqa: N815
    chatTemplateArgs: Mapping[str, Json] = field(default_factory=dict)  # noqa: N815
    zaiToolStream: bool = False  # noqa: N815
    supportsThinkingTokenBudget: bool = False  # noqa: N815
    thinkingTokenBudgetField: str | None = None  # noqa: N815
    supportsStrictMode: bool = False  # noqa: N815
    supportsOpenAIGrammarTools: bool = False  # noqa: N815
    supportsMidConvoSystemMessages: bool = False  # noqa: N815
    cacheControlFormat: str | None = None  # noqa: N815
    sendSessionAffinityHeaders: bool = False  # noqa: N815
    sessionAffinityFormat: str = "openai"  # noqa: N815
    supportsLongCacheRetention: bool = True  # noqa: N815
    promptCacheKeyMode: str = "auto"  # noqa: N815
    vllmPriority: int | None = None  # noqa: N815

    local: bool = False
    """The server runs on this machine."""

    def has(self, *vendors: str) -> bool:
        """Whether one of these known providers is behind the model."""
        return not self.vendors.isdisjoint(vendors)

    @property
    def takes_addresses(self) -> bool:
        """Whether the upstream fetches images itself (the providers' documents); a local server may not (Ollama)."""
        return not self.local and not self.has("moonshot", "kimi-coding", "github-copilot")

    @property
    def thinking_budget_field(self) -> str | None:
        """The field for a number of thinking tokens, where the server takes one."""
        return self.thinkingTokenBudgetField or ("thinking_token_budget" if self.supportsThinkingTokenBudget else None)


_FLAGS: Final[Mapping[str, Json]] = {
    flag.name: flag for flag in fields(Compat) if flag.name not in ("vendors", "host", "explicit", "local")
}


@per_model
def compat_of(model: Model) -> Compat:
    """All flags of a model. A flag that is ``null`` in the entry, or of a wrong type, counts as not given."""
    detected = _detected(model)
    given = {
        name: value
        for name, value in model.compat.items()
        if name in _FLAGS and value is not None and _fits(value, detected[name])
    }
    return Compat(**{**detected, **given, "explicit": frozenset(given)})


def _fits(value: Json, example: Json) -> bool:
    if isinstance(example, bool):
        return isinstance(value, bool)
    if isinstance(example, Mapping):
        return isinstance(value, Mapping)
    if isinstance(value, bool | list | Mapping):
        return False
    return isinstance(value, str) or not isinstance(example, str)


def vendors_of(model: Model) -> frozenset[str]:
    """Known providers by id or by a part of the base URL."""
    url = model.base_url.lower()
    found = {name for name, parts in _PROVIDERS.items() if any(part in url for part in parts)}
    own = _SAME.get(model.provider, model.provider)
    if own in _PROVIDERS or own in _SAME:
        found.add(own)
    return frozenset(found)


def _detected(model: Model) -> dict[str, Json]:
    vendors = vendors_of(model)
    router = "openrouter" in vendors
    plain = vendors.isdisjoint(_NON_STANDARD)
    claude = model.id.startswith("anthropic/")
    host: Host = "custom"
    if vendors & {"openai", "azure"}:
        host = "openai"
    elif router:
        host = "openrouter"
    elif vendors:
        host = "known"
    return {
        **{flag.name: getattr(_BLANK, flag.name) for flag in fields(Compat)},
        "vendors": vendors,
        "host": host,
        "local": urlsplit(model.base_url).hostname in ("localhost", "127.0.0.1", "::1"),
        "supportsStore": plain,
        "supportsDeveloperRole": (router and (claude or model.id.startswith("openai/"))) or (plain and not router),
        "supportsReasoningEffort": vendors.isdisjoint(_NO_EFFORT),
        "maxTokensField": "max_completion_tokens" if vendors.isdisjoint(_MAX_TOKENS) else "max_tokens",
        "requiresReasoningContentOnAssistantMessages": "deepseek" in vendors,
        "thinkingFormat": next((name for name in _FORMATS if name in vendors), "openai"),
        "cacheControlFormat": "anthropic" if model.provider == "openrouter" and claude else None,
        "sendSessionAffinityHeaders": router,
        "sessionAffinityFormat": "openrouter" if router else "openai",
        "supportsLongCacheRetention": vendors.isdisjoint(_SHORT_CACHE),
    }


_BLANK: Final = Compat()
