"""The objects of ``/v1/models``."""

from __future__ import annotations

import pytest
from openai.types import Model as OpenAIModel

from piproxy.model import Cost, Model
from piproxy.openai.models import model_list, model_object

MODEL = Model(
    provider="anthropic",
    id="claude-x",
    api="anthropic-messages",
    base_url="https://api.example",
    name="Claude X",
    reasoning=True,
    input=("text", "image"),
    context_window=200_000,
    max_tokens=64_000,
    cost=Cost(input=3, output=15, cache_read=0.3, cache_write=3.75),
)


def test_a_model_has_the_four_standard_fields() -> None:
    """No proprietary extensions by default, as the original promises; the id is the public one."""
    made = model_object("claude", MODEL, created=1_700_000_000)
    assert made == {"id": "claude", "object": "model", "created": 1_700_000_000, "owned_by": "anthropic"}
    OpenAIModel.model_validate(made, strict=True)


def test_details_on_demand() -> None:
    """Context, output limit, modalities and prices, with OpenRouter's names."""
    made = model_object("claude", MODEL, created=1, details=True)
    OpenAIModel.model_validate(made, strict=True)
    assert {key: made[key] for key in made if key not in {"id", "object", "created", "owned_by"}} == {
        "name": "Claude X",
        "context_length": 200_000,
        "max_output_tokens": 64_000,
        "reasoning": True,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "pricing": {
            "prompt": "0.000003",
            "completion": "0.000015",
            "input_cache_read": "0.0000003",
            "input_cache_write": "0.00000375",
        },
    }


@pytest.mark.parametrize(("dollars", "shown"), [(0.0, "0"), (1_000_000.0, "1"), (0.05, "0.00000005")])
def test_prices_are_plain_decimals(dollars: float, shown: str) -> None:
    """Per token, without an exponent."""
    model = Model(provider="p", id="m", api="a", base_url="", cost=Cost(input=dollars))
    made = model_object("m", model, created=1, details=True)
    assert made["pricing"]["prompt"] == shown
    assert made["name"] == "m"


def test_the_list() -> None:
    """``data`` is there even when it is empty: a client fails without it (field.md, 51)."""
    assert model_list([]) == {"object": "list", "data": []}
    one = model_object("a", MODEL, created=1)
    assert model_list(iter([one])) == {"object": "list", "data": [one]}
