"""The demo provider's models."""

from __future__ import annotations

from piproxy.wire.demo import MODELS, models


def test_every_behaviour_is_a_model() -> None:
    """Each name in the table is a model of the demo provider with the demo api."""
    assert [model.id for model in models()] == list(MODELS)
    assert {(model.provider, model.api) for model in models()} == {("demo", "demo")}
    assert [model.id for model in models() if model.reasoning] == ["thinking"]
