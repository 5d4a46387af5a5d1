"""A model entry as pi writes it (catalog, models-store.json) -> :class:`piproxy.model.Model`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from piproxy.jsontext import Json
from piproxy.model import Cost, Model, Rates
from piproxy.thinking import LEVELS


def model_from_entry(provider: str, entry: Json, *, id: str | None = None, api: str | None = None) -> Model | None:
    """The model, or ``None`` when the entry lacks what no default can stand for (``id``, ``api``).

    Tolerant: a member of the wrong type counts as missing, as these files are a cache of somebody else's data.
    """
    if not isinstance(entry, dict):
        return None
    id, api = id or _text(entry, "id"), api or _text(entry, "api")  # noqa: A001
    if not id or not api:
        return None
    return Model(
        provider=provider,
        id=id,
        api=api,
        base_url=_text(entry, "baseUrl"),
        name=_text(entry, "name") or id,
        reasoning=entry.get("reasoning") is True,
        input=_modalities(entry.get("input")),
        cost=cost_from(entry.get("cost")),
        context_window=_size(entry.get("contextWindow"), 128_000),
        max_tokens=_size(entry.get("maxTokens"), 16_384),
        thinking_level_map=levels_from(entry.get("thinkingLevelMap")),
        compat=_object(entry, "compat"),
        headers={name: value for name, value in _object(entry, "headers").items() if isinstance(value, str)},
        sampling_params=_object(entry, "samplingParams"),
        sampling_params_by_level=_objects(entry, "samplingParamsByThinkingLevel"),
        input_limits=_object(entry, "inputLimits"),
        prompt_cache=_object(entry, "promptCache"),
    )


def cost_from(value: Json) -> Cost:
    """pi's ``cost`` object; what is missing is free."""
    if not isinstance(value, dict):
        return Cost()
    tiers = value.get("tiers")
    return Cost(
        *_four(value),
        tiers=tuple(
            (_number(tier.get("inputTokensAbove")), Rates(*_four(tier)))
            for tier in (tiers if isinstance(tiers, list) else ())
            if isinstance(tier, dict)
        ),
    )


def levels_from(value: Json) -> Mapping[str, str | None]:
    """pi's ``thinkingLevelMap``, known levels only."""
    if not isinstance(value, dict):
        return {}
    return {
        level: value[level]
        for level in LEVELS
        if level in value and (value[level] is None or isinstance(value[level], str))
    }


def _text(entry: dict[str, Json], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _object(entry: dict[str, Json], key: str) -> dict[str, Json]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def _objects(entry: dict[str, Json], key: str) -> dict[str, dict[str, Json]]:
    return {name: value for name, value in _object(entry, key).items() if isinstance(value, dict)}


def _modalities(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ("text",)
    return tuple(item for item in value if isinstance(item, str))


def _number(value: Json) -> float:
    if type(value) is int:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else 0.0


def _size(value: Json, default: int) -> int:
    size = int(_number(value))
    return size if size > 0 else default


def _four(value: dict[str, Json]) -> tuple[float, float, float, float]:
    return (
        _number(value.get("input")),
        _number(value.get("output")),
        _number(value.get("cacheRead")),
        _number(value.get("cacheWrite")),
    )
