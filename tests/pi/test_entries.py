"""A model entry is read as far as it makes sense."""

from __future__ import annotations

import pytest

from piproxy.jsontext import Json
from piproxy.model import Cost, Model, Rates
from piproxy.pi.entries import cost_from, levels_from, model_from_entry

WHOLE = {"id": "m", "api": "a", "baseUrl": "https://x"}


@pytest.mark.parametrize(
    "entry", [None, [], "m", {}, {"id": "m"}, {"api": "a"}, {"id": "", "api": "a"}, {"id": 1, "api": "a"}]
)
def test_entry_without_id_or_api_is_nothing(entry: Json) -> None:
    """No default can stand for them."""
    assert model_from_entry("p", entry) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 1),
        ("reasoning", "yes"),
        ("input", "text"),
        ("cost", []),
        ("contextWindow", "big"),
        ("contextWindow", -1),
        ("contextWindow", True),
        ("maxTokens", float("inf")),
        ("thinkingLevelMap", []),
        ("compat", 1),
        ("headers", [1]),
        ("headers", {"X": 1}),
        ("samplingParams", "x"),
        ("samplingParamsByThinkingLevel", {"low": 1}),
        ("inputLimits", None),
        ("promptCache", 3),
    ],
)
def test_member_of_the_wrong_type_counts_as_missing(key: str, value: Json) -> None:
    """The default stands."""
    assert model_from_entry("p", {**WHOLE, key: value}) == Model(
        provider="p", id="m", api="a", base_url="https://x", name="m"
    )


def test_prices_with_holes_are_free_there() -> None:
    """Whole numbers become floats; a tier is taken as far as it goes."""
    cost = cost_from(
        {"input": 1, "output": "2", "cacheRead": float("nan"), "tiers": [7, {"inputTokensAbove": 5, "input": 2}]}
    )
    assert cost == Cost(1.0, 0.0, 0.0, 0.0, ((5.0, Rates(2.0)),))
    assert isinstance(cost.input, float)


def test_levels_are_strings_or_null() -> None:
    """Unknown levels and other values are left out."""
    assert levels_from({"low": "l", "off": None, "high": 3, "turbo": "t"}) == {"low": "l", "off": None}
