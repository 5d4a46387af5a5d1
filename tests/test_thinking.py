"""Thinking levels are pi's (pi-on-disk.md, 8.5)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from piproxy import thinking
from piproxy.model import Model


def model(levels: Mapping[str, str | None] | None = None, *, reasoning: bool = True) -> Model:
    return Model(
        provider="p", id="m", api="a", base_url="https://x", reasoning=reasoning, thinking_level_map=levels or {}
    )


@pytest.mark.parametrize(
    ("made", "levels"),
    [
        (model(reasoning=False), "off"),
        (model(), "off minimal low medium high"),
        (model({"xhigh": "xhigh"}), "off minimal low medium high xhigh"),
        (model({"max": "max", "minimal": None}), "off low medium high max"),
        (model({"off": None, "xhigh": None}), "minimal low medium high"),
    ],
)
def test_levels_of_a_model(made: Model, levels: str) -> None:
    """``null`` takes a level away; the two highest need an entry."""
    assert thinking.supported(made) == tuple(levels.split())


@pytest.mark.parametrize(
    ("levels", "asked", "given"),
    [
        ({}, "high", "high"),
        ({}, "max", "high"),
        ({"low": None}, "low", "medium"),
        ({"high": None, "medium": None}, "medium", "low"),
        ({"off": None}, "off", "minimal"),
        ({"off": None}, "sideways", "minimal"),
    ],
)
def test_a_level_that_is_not_there(levels: Mapping[str, str | None], asked: str, given: str) -> None:
    """The next higher one, else the next lower one."""
    assert thinking.clamp(model(levels), asked) == given


def test_a_wish() -> None:
    """Nothing said is nothing sent; ``none`` is off; the provider's own word is used."""
    assert thinking.wanted(model(), None) is None
    assert thinking.wanted(model(), "none") == "off"
    assert thinking.wanted(model(reasoning=False), "high") == "off"
    assert thinking.value(model({"high": "very"}), "high") == "very"
    assert thinking.value(model(), "high") == "high"
