from __future__ import annotations

import pytest
from fakes.completions import chunk, parse, sse

from piproxy.events import Usage
from piproxy.jsontext import Json
from piproxy.wire.openai_completions.usage import usage_of

BASE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, Usage(100, 20, total=120)),
        ({"prompt_tokens_details": {"cached_tokens": 80}}, Usage(20, 20, 80, total=120)),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 5}, Usage(100, 20, total=120)),
        ({"prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}, Usage(10, 20, 60, 30, total=120)),
        ({"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}, Usage(36, 20, 64, total=120)),
        ({"cached_tokens": 7}, Usage(93, 20, 7, total=120)),
        ({"prompt_token_details": {"cached_tokens": 7}}, Usage(93, 20, 7, total=120)),
        ({"num_cached_tokens": 7}, Usage(93, 20, 7, total=120)),
        ({"completion_tokens_details": {"reasoning_tokens": 15}}, Usage(100, 20, reasoning=15, total=120)),
        ({"reasoning_tokens": 15}, Usage(100, 20, reasoning=15, total=120)),
        ({"completion_tokens_details": {"reasoning_tokens": 15}, "total_tokens": 135},
         Usage(100, 35, reasoning=15, total=135)),
        ({"prompt_tokens_details": {"audio_tokens": 3, "cached_tokens": 0}, "completion_tokens_details":
          {"accepted_prediction_tokens": 2, "audio_tokens": 0}},
         Usage(100, 20, total=120, details={"prompt": {"audio_tokens": 3},
                                            "completion": {"accepted_prediction_tokens": 2}})),
        ({"prompt_tokens_details": None, "completion_tokens_details": [], "cost": 0.5}, Usage(100, 20, total=120)),
        ({"completion_tokens": None, "total_tokens": -1}, Usage(100, 0)),
        ({"prompt_tokens": 100.0, "completion_tokens": True}, Usage(100, 0, total=120)),
    ],
)  # fmt: skip
def test_counts(more: dict[str, Json], expected: Usage) -> None:
    """Cached, written and thinking tokens are found wherever a provider puts them."""
    assert usage_of({**BASE, **more}, dollars=False) == expected


@pytest.mark.parametrize("raw", [{}, {"total_tokens": 5}, {"prompt_tokens": "5"}, {"cost": {"total": 1}}])
def test_no_counts(raw: dict[str, Json]) -> None:
    """Without a count there is no usage."""
    assert usage_of(raw, dollars=False) is None


@pytest.mark.parametrize(
    ("more", "billed"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0),
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 9}}, 0.25),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": 1}}, 1.25),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": None,
          "upstream_inference_prompt_cost": 1, "upstream_inference_completions_cost": 2}}, 3.25),
        ({"cost": 0.25, "is_byok": True}, 0.25),
        ({"cost": -1}, None),
        ({"cost": "1"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_openrouter_cost(more: dict[str, Json], billed: float | None) -> None:
    """OpenRouter says what it charged; what a user's own key was charged comes on top."""
    found = usage_of({**BASE, **more}, dollars=True)
    assert found is not None
    assert found.billed == billed


def test_places() -> None:
    """The last usage wins; one beside a choice or in ``x_groq`` counts where there is no other."""
    choice = chunk({}, "stop")
    choice["choices"][0]["usage"] = BASE | {"prompt_tokens": 1}
    groq = chunk({"content": "a"}, x_groq={"usage": BASE | {"prompt_tokens": 2}})
    early, late = chunk({"content": "a"}, usage=BASE | {"prompt_tokens": 3}), {"choices": [], "usage": BASE}

    def prompt(*frames: Json) -> int:
        usage = parse(sse(*frames))[-2]
        assert isinstance(usage, Usage)
        return usage.input

    assert prompt(choice) == 1
    assert prompt(groq, chunk({}, "stop")) == 2
    assert prompt(early, chunk({}, "stop")) == 3
    assert prompt(early, groq, choice, late) == 100
    assert prompt(early, groq, choice, {"choices": [], "usage": {}}) == 3
