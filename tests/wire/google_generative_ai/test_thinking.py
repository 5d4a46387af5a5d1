"""``thinkingConfig`` by model and effort."""

from __future__ import annotations

from typing import Final

import pytest

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.google_generative_ai.generation import is_gemini_3, thinks_by_level
from piproxy.wire.google_generative_ai.thinking import thinking_config

PRO: Final = {
    "off": None,
    "minimal": None,
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": None,
    "max": None,
}
FLASH: Final = {**PRO, "minimal": "minimal"}
GEMMA: Final = {"off": None, "minimal": "MINIMAL", "low": None, "medium": None, "high": "HIGH"}


def model(id: str, levels: dict[str, str | None] | None = None, *, reasoning: bool = True) -> Model:
    return Model(
        provider="google",
        id=id,
        api="google-generative-ai",
        base_url="https://x/v1beta",
        reasoning=reasoning,
        thinking_level_map=levels or {},
    )


def level(name: str) -> Json:
    return {"includeThoughts": True, "thinkingLevel": name}


def budget(tokens: int) -> Json:
    return {"includeThoughts": True, "thinkingBudget": tokens}


@pytest.mark.parametrize(
    ("given", "effort", "config"),
    [
        (model("gemini-3.1-pro-preview", PRO), "minimal", level("LOW")),
        (model("gemini-3.1-pro-preview", PRO), "max", level("HIGH")),
        (model("gemini-3.1-pro-preview", PRO), "none", {"thinkingLevel": "LOW"}),
        (model("gemini-3.5-flash", FLASH), "minimal", level("MINIMAL")),
        (model("gemini-3.5-flash", FLASH), "none", {"thinkingLevel": "MINIMAL"}),
        (model("gemini-pro-latest", PRO), "medium", level("MEDIUM")),
        (model("gemma-4-31b-it", GEMMA), "low", level("HIGH")),
        (model("gemini-3-custom"), "medium", level("MEDIUM")),
        (model("gemini-4-argon"), "none", {"thinkingLevel": "LOW"}),
        (model("gemini-2.5-pro"), "minimal", budget(128)),
        (model("gemini-2.5-pro"), "high", budget(32768)),
        (model("gemini-2.5-pro"), "none", {"thinkingBudget": 128}),
        (model("gemini-2.5-flash"), "xhigh", budget(24576)),
        (model("gemini-2.5-flash"), "none", {"thinkingBudget": 0}),
        (model("gemini-2.5-flash-lite"), "minimal", budget(512)),
        (model("deep-research-preview"), "low", budget(-1)),
        (model("deep-research-preview"), "none", {"thinkingBudget": 0}),
        (model("gemini-2.0-flash", reasoning=False), "high", None),
        (model("gemini-3.1-pro-preview", PRO), None, None),
        (model("gemini-2.5-pro"), None, None),
    ],
)
def test_effort(given: Model, effort: str | None, config: Json) -> None:
    """The catalog's levels decide; a model without them has a budget; nothing asked is nothing sent."""
    assert thinking_config(given, effort, None) == config


@pytest.mark.parametrize(
    ("id", "cap", "tokens"),
    [
        ("gemini-2.5-pro", 10_000, 8976),
        ("gemini-2.5-pro", 500, 128),
        ("gemini-2.5-flash", 2048, 1024),
        ("gemini-2.5-flash", 1024, 0),
        ("gemini-2.5-flash-lite", 1100, 0),
        ("gemini-2.5-flash", 100_000, 24576),
    ],
)
def test_a_budget_leaves_room_for_the_answer(id: str, cap: int, tokens: int) -> None:
    """The client's output limit includes thinking, so the budget shrinks under it."""
    config = thinking_config(model(id), "high", cap)
    assert config is not None
    assert config["thinkingBudget"] == tokens


@pytest.mark.parametrize(
    ("given", "third", "by_level"),
    [
        (model("gemini-2.5-pro"), False, False),
        (model("gemini-3-flash-preview", FLASH), True, True),
        (model("models/gemini-3.5-flash"), True, True),
        (model("publishers/google/models/gemini-4-argon"), True, True),
        (model("gemini-live-3-flash"), True, False),
        (model("gemini-flash-latest", FLASH), True, True),
        (model("gemini-robotics-er-2-preview", FLASH), True, True),
        (model("gemma-4-31b-it", GEMMA), False, True),
        (model("my-model"), False, False),
    ],
)
def test_generations(given: Model, third: bool, by_level: bool) -> None:
    """The catalog tells who thinks by level; the version in the id tells the rest."""
    assert (is_gemini_3(given), thinks_by_level(given)) == (third, by_level)
