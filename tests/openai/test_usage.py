"""The usage object."""

from __future__ import annotations

import pytest
from openai.types import CompletionUsage

from piproxy.events import Usage
from piproxy.openai.usage import usage_object


def test_cached_tokens_are_part_of_the_prompt() -> None:
    """Prompt plus completion is the total, and the details say what was cached and what was thought."""
    usage = usage_object(Usage(input=10, output=5, cache_read=100, cache_write=50, reasoning=3), 0.25)
    assert usage == {
        "prompt_tokens": 160,
        "completion_tokens": 5,
        "total_tokens": 165,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 50},
        "completion_tokens_details": {"reasoning_tokens": 3},
        "cost": 0.25,
    }
    CompletionUsage.model_validate(usage, strict=True)


@pytest.mark.parametrize(("said", "shown"), [(None, 15), (15, 15), (20, 20), (5, 15), (0, 15)])
def test_the_providers_total_counts_if_it_can_be_true(said: int | None, shown: int) -> None:
    """A total below the sum of its parts is not repeated."""
    assert usage_object(Usage(input=10, output=5, total=said), None)["total_tokens"] == shown


def test_a_cost_that_nobody_knows_is_left_out() -> None:
    """No price, no ``cost``; free is 0."""
    assert "cost" not in usage_object(Usage(), None)
    assert usage_object(Usage(), 0.0)["cost"] == 0.0


def test_further_details_are_kept_when_they_are_counts() -> None:
    """What else a provider counts is shown; our own numbers win; other things would break typed clients."""
    usage = usage_object(
        Usage(
            cache_read=4,
            details={
                "prompt": {"audio_tokens": 2, "cached_tokens": 9, "text": "x", "flag": True},
                "completion": {"accepted_prediction_tokens": 1, "reasoning_tokens": 8},
            },
        ),
        None,
    )
    assert usage["prompt_tokens_details"] == {"audio_tokens": 2, "cached_tokens": 4}
    assert usage["completion_tokens_details"] == {"accepted_prediction_tokens": 1, "reasoning_tokens": 0}


@pytest.mark.parametrize("details", [[], "x", {"prompt": 3}, {"completion": None}])
def test_odd_details_are_no_reason_to_fail(details: object) -> None:
    """A shape that is not ours is left out."""
    assert usage_object(Usage(details=details), None)["prompt_tokens_details"] == {"cached_tokens": 0}


def test_estimated_numbers_are_marked() -> None:
    """Numbers that the provider did not give say so; real ones carry no mark."""
    marked = usage_object(Usage(input=10, output=5, estimated=True), None)
    assert marked["estimated"] is True
    CompletionUsage.model_validate(marked, strict=True)
    assert "estimated" not in usage_object(Usage(input=10, output=5), None)
