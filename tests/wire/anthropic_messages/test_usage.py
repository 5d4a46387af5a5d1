"""Token counts of the Messages API."""

from __future__ import annotations

from typing import Any

import pytest

from piproxy.events import Usage
from piproxy.wire.anthropic_messages.usage import Tally

USAGES: list[Any] = [
    pytest.param([], None, id="never counted"),
    pytest.param([None, "x", {}], None, id="nothing to read"),
    pytest.param([{"input_tokens": 3, "output_tokens": 1}, {"output_tokens": 9}], Usage(3, 9), id="cumulative"),
    pytest.param(
        [{"input_tokens": 3, "cache_read_input_tokens": 5}, {"input_tokens": None, "output_tokens": 2}],
        Usage(3, 2, 5),
        id="null keeps what was known",
    ),
    pytest.param(
        [{"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 12, "output_tokens": 2}],
        Usage(12, 2),
        id="prompt only in the delta",
    ),
    pytest.param(
        [
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            }
        ],
        Usage(1, cache_write=30, cache_write_1h=20),
        id="cache writes by retention",
    ),
    pytest.param(
        [{"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}],
        Usage(1, cache_write=30, cache_write_1h=20),
        id="the split alone",
    ),
    pytest.param(
        [{"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}], Usage(0, 9, reasoning=4), id="thinking"
    ),
    pytest.param([{"input_tokens": -1, "output_tokens": True}], None, id="numbers that are none"),
    pytest.param(
        [{"input_tokens": 1, "cost": 0.5, "is_byok": False}], Usage(1, billed=0.5), id="what OpenRouter charged"
    ),
    pytest.param(
        [{"input_tokens": 1, "cost": 0.5, "is_byok": True, "cost_details": {"upstream_inference_cost": 2}}],
        Usage(1, billed=2.5),
        id="with the user's own provider key",
    ),
    pytest.param(
        [
            {
                "input_tokens": 1,
                "cost": 0.5,
                "is_byok": True,
                "cost_details": {"upstream_inference_prompt_cost": 1, "upstream_inference_completions_cost": 2},
            }
        ],
        Usage(1, billed=3.5),
        id="in two parts",
    ),
    pytest.param([{"input_tokens": 1, "cost": 0.5, "is_byok": True}], Usage(1), id="charged, but by whom"),
    pytest.param([{"input_tokens": 1, "cost": 0.5, "is_byok": True, "cost_details": {}}], Usage(1), id="unknown parts"),
    pytest.param([{"input_tokens": 1, "cost": -0.5, "is_byok": False}], Usage(1), id="a price that is none"),
]


@pytest.mark.parametrize(("given", "usage"), USAGES)
def test_usage(given: list[Any], usage: Usage | None) -> None:
    """Counts are those last said; a missing one is kept, and cached tokens are apart from the input."""
    tally = Tally()
    for piece in given:
        tally.add(piece)
    assert tally.total() == usage
