"""Models, and what is derived from them once."""

from __future__ import annotations

from dataclasses import replace

from piproxy.model import MAX_REMEMBERED, Model, per_model

MODEL = Model(provider="p", id="m", api="openai-completions", base_url="https://p.test/v1")


def test_what_follows_from_a_model_is_derived_once() -> None:
    """Once for each object; an equal model, which may have other mappings, is asked again."""
    asked: list[str] = []

    @per_model
    def name(model: Model) -> str:
        asked.append(model.id)
        return model.id.upper()

    other = replace(MODEL, id="n")
    assert [name(MODEL), name(other), name(MODEL), name(other)] == ["M", "N", "M", "N"]
    assert asked == ["m", "n"]
    assert name(replace(MODEL)) == "M"
    assert asked == ["m", "n", "m"]


def test_what_is_kept_of_models_is_bounded() -> None:
    """Many short-lived models fill no memory, and ids that Python uses again mean no other model."""
    held = 0

    @per_model
    def number(model: Model) -> str:
        nonlocal held
        held += 1
        return model.id

    for at in range(MAX_REMEMBERED + 10):
        assert number(replace(MODEL, id=str(at))) == str(at)
    assert held == MAX_REMEMBERED + 10
