"""Tokens and tiers of the Responses API."""

from __future__ import annotations

from typing import Any

import pytest

from piproxy.wire.openai_responses.usage import counted


@pytest.mark.parametrize(
    ("tier", "model", "factor"),
    [
        (None, "openai/gpt-5.6", 1.0),
        ("default", "openai/gpt-5.6", 1.0),
        ("auto", "openai/gpt-5.6", 1.0),
        ("flex", "openai/gpt-5.5", 0.5),
        ("priority", "openai/gpt-5.6", 2.0),
        ("fast", "openai/gpt-5.6", 2.0),
        ("priority", "openai/gpt-5.5", 2.5),
        (["priority"], "openai/gpt-5.5", 1.0),
    ],
)
def test_the_tier_that_served_makes_the_price(tier: Any, model: str, factor: float) -> None:
    """As the answer names it, not as the client wished it."""
    usage = counted({"input_tokens": 3, "output_tokens": 2}, tier, model)
    assert usage is not None
    assert usage.price_factor == factor
