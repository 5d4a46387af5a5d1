"""A model that piproxy can reach, as pi describes it (pi-on-disk.md, 5.2 and 7.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Final, TypeVar

from piproxy.jsontext import Json

T = TypeVar("T")

MAX_REMEMBERED: Final = 2048
"""Models whose derived facts are kept."""


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost(Rates):
    """Base rates, and tiers that replace them: ``(input_tokens_above, rates)``."""

    tiers: tuple[tuple[float, Rates], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One chat model of one provider."""

    provider: str
    id: str
    api: str
    """The wire API, by pi's ids: ``openai-completions``, ``anthropic-messages`` …"""
    base_url: str
    name: str = ""
    reasoning: bool = False
    input: tuple[str, ...] = ("text",)
    """What it can be given: ``text``, ``image``."""
    cost: Cost = field(default_factory=Cost)
    context_window: int = 128_000
    max_tokens: int = 16_384
    """The most output tokens."""
    thinking_level_map: Mapping[str, str | None] = field(default_factory=dict)
    """pi level -> the provider's value; ``None``: not supported. Rules: :mod:`piproxy.thinking`."""
    compat: Mapping[str, Json] = field(default_factory=dict)
    """pi's compat flags, untouched; each room reads its own."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The catalog's own headers (not those of models.json, which come with the credential)."""
    sampling_params: Mapping[str, Json] = field(default_factory=dict)
    sampling_params_by_level: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    input_limits: Mapping[str, Json] = field(default_factory=dict)
    prompt_cache: Mapping[str, Json] = field(default_factory=dict)

    @property
    def canonical_id(self) -> str:
        """``provider/model-id``."""
        return f"{self.provider}/{self.id}"

    @property
    def takes_images(self) -> bool:
        return "image" in self.input


def per_model(derive: Callable[[Model], T]) -> Callable[[Model], T]:
    """``derive``, done once for each model: a model never changes, and every request asks the same of it."""
    known: dict[int, tuple[Model, T]] = {}

    @wraps(derive)
    def remembered(model: Model) -> T:
        found = known.get(id(model))  # models hold mappings, and so have no hash
        if found is None or found[0] is not model:
            if len(known) >= MAX_REMEMBERED:
                known.clear()
            found = known[id(model)] = model, derive(model)
        return found[1]

    return remembered
