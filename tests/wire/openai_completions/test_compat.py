from __future__ import annotations

import gzip
import json
from importlib import resources

import pytest
from fakes.completions import CUSTOM, model

from piproxy.wire.openai_completions.compat import compat_of

ELSEWHERE = "https://gate.example/v1"


@pytest.mark.parametrize(
    ("provider", "url", "off"),
    [
        ("mine", CUSTOM, set()),
        ("openai", "https://api.openai.com/v1", set()),
        ("groq", "https://api.groq.com/openai/v1", set()),
        ("zai", ELSEWHERE, {"store", "developer", "effort"}),
        ("zai-coding-cn", ELSEWHERE, {"store", "developer", "effort"}),
        ("mine", "https://open.bigmodel.cn/api", {"store", "developer", "effort"}),
        ("together", ELSEWHERE, {"store", "developer", "effort", "long"}),
        ("mine", "https://api.together.xyz/v1", {"store", "developer", "effort", "long"}),
        ("moonshotai-cn", ELSEWHERE, {"store", "developer", "effort"}),
        ("openrouter", ELSEWHERE, {"developer"}),
        ("mine", "https://openrouter.ai/api/v1", {"developer"}),
        ("cloudflare-workers-ai", ELSEWHERE, {"store", "developer", "long"}),
        ("cloudflare-ai-gateway", ELSEWHERE, {"store", "developer", "effort", "long"}),
        ("nvidia", ELSEWHERE, {"store", "developer", "effort", "long"}),
        ("ant-ling", ELSEWHERE, {"store", "developer", "effort", "long"}),
        ("cerebras", ELSEWHERE, {"store", "developer"}),
        ("mine", "https://API.DeepSeek.com", {"store", "developer"}),
        ("xai", ELSEWHERE, {"store", "developer", "effort"}),
        ("mine", "https://llm.chutes.ai/v1", {"store", "developer"}),
        ("opencode", ELSEWHERE, {"store", "developer"}),
        ("opencode-go", "https://opencode.ai/inference/go/openai/v1", {"store", "developer"}),
    ],
)
def test_abilities_by_provider_and_address(provider: str, url: str, off: set[str]) -> None:
    """What is on by default is switched off by provider id or by address, as pi does."""
    found = compat_of(model(provider, url))
    abilities = {
        "store": found.supportsStore,
        "developer": found.supportsDeveloperRole,
        "effort": found.supportsReasoningEffort,
        "long": found.supportsLongCacheRetention,
    }
    assert {name for name, on in abilities.items() if not on} == off


@pytest.mark.parametrize(
    ("url", "field"),
    [
        (CUSTOM, "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://api.deepseek.com", "max_tokens"),
        ("https://api.moonshot.ai/v1", "max_tokens"),
        ("https://gateway.ai.cloudflare.com/v1/a/g/compat", "max_tokens"),
        ("https://api.cloudflare.com/client/v4/accounts/a/ai/v1", "max_completion_tokens"),
        ("https://integrate.api.nvidia.com/v1", "max_tokens"),
        ("https://api.z.ai/api/coding/paas/v4", "max_tokens"),
        ("https://api.x.ai/v1", "max_completion_tokens"),
    ],
)
def test_max_tokens_field(url: str, field: str) -> None:
    """Some providers know only the old name."""
    assert compat_of(model("mine", url)).maxTokensField == field


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (CUSTOM, "openai"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.z.ai/x", "zai"),
        ("https://api.together.ai/v1", "together"),
        ("https://api.ant-ling.com/v1", "ant-ling"),
        ("https://openrouter.ai/api/v1", "openrouter"),
    ],
)
def test_thinking_format(url: str, expected: str) -> None:
    """The address tells how thinking is asked for."""
    assert compat_of(model("mine", url)).thinkingFormat == expected


@pytest.mark.parametrize("id_", ["anthropic/claude-x", "openai/gpt-x"])
def test_openrouter_models_with_developer_role(id_: str) -> None:
    """OpenRouter passes the developer role to OpenAI and Anthropic only."""
    assert compat_of(model("openrouter", "https://openrouter.ai/api/v1", id=id_)).supportsDeveloperRole


def test_openrouter_extras() -> None:
    """OpenRouter gets affinity headers; its Claude models get cache marks."""
    found = compat_of(model("openrouter", "https://openrouter.ai/api/v1", id="anthropic/claude-x"))
    assert found.sendSessionAffinityHeaders
    assert found.sessionAffinityFormat == "openrouter"
    assert found.cacheControlFormat == "anthropic"
    assert compat_of(model("openrouter", "https://openrouter.ai/api/v1", id="x/y")).cacheControlFormat is None


def test_deepseek_wants_reasoning_back() -> None:
    """DeepSeek's history must hold reasoning."""
    assert compat_of(model("deepseek", ELSEWHERE)).requiresReasoningContentOnAssistantMessages


def test_entry_wins_flag_by_flag() -> None:
    """A flag of the model entry beats what was detected; the others stay."""
    found = compat_of(model("zai", ELSEWHERE, compat={"supportsReasoningEffort": True, "thinkingFormat": "qwen"}))
    assert found.supportsReasoningEffort
    assert found.thinkingFormat == "qwen"
    assert not found.supportsStore
    assert found.explicit == {"supportsReasoningEffort", "thinkingFormat"}


@pytest.mark.parametrize(
    "compat",
    [
        {"supportsStore": None},
        {"supportsStore": "no"},
        {"maxTokensField": 7},
        {"chatTemplateKwargs": []},
        {"thinkingTokenBudgetField": {}},
        {"nobodyKnows": True, "vendors": 1, "host": "openai", "explicit": []},
    ],
)
def test_useless_flags_are_ignored(compat: dict[str, object]) -> None:
    """A null, a wrong type and an unknown name count as not given."""
    assert compat_of(model(compat=compat)) == compat_of(model())


def test_budget_field() -> None:
    """The boolean flag means the usual name; an own name wins."""
    assert compat_of(model()).thinking_budget_field is None
    assert (
        compat_of(model(compat={"supportsThinkingTokenBudget": True})).thinking_budget_field == "thinking_token_budget"
    )
    both = {"supportsThinkingTokenBudget": True, "thinkingTokenBudgetField": "thinking_budget"}
    assert compat_of(model(compat=both)).thinking_budget_field == "thinking_budget"


def test_no_flag_of_the_catalog_is_unknown() -> None:
    """Every flag that the shipped catalog sets for this API is understood, with the type it has there."""
    packed = resources.files("piproxy.pi").joinpath("data", "catalog.json.gz").read_bytes()
    providers = json.loads(gzip.decompress(packed))["models"]
    seen = 0
    for apis in providers.values():
        for entry in apis.get("openai-completions", {}).values():
            wanted = set(entry.get("compat", ())) - {"supportsMidConvoToolAdditions"}
            assert compat_of(model(compat=entry.get("compat", {}))).explicit == wanted
            seen += 1
    assert seen > 100
