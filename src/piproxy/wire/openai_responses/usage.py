"""How many tokens an answer cost (wire reference, 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.events import Usage
from piproxy.jsontext import Json, as_count, as_object

_TIERS: Final[Mapping[str, float]] = {"flex": 0.5, "priority": 2.0, "fast": 2.0}
"""What a service tier costs, against the usual price (as pi reckons)."""


def counted(value: Json, tier: Json = None, model: str = "") -> Usage | None:
    """The provider's own numbers; its ``input_tokens`` include what was read from and written to its cache.

    ``tier`` is the ``service_tier`` that the answer names, ``model`` the id of the model that was asked.
    """
    if not isinstance(value, dict) or not value:
        return None
    inputs, outputs = as_object(value.get("input_tokens_details")), as_object(value.get("output_tokens_details"))
    read, written = as_count(inputs.get("cached_tokens")), as_count(inputs.get("cache_write_tokens"))
    return Usage(
        input=max(0, as_count(value.get("input_tokens")) - read - written),
        output=as_count(value.get("output_tokens")),
        cache_read=read,
        cache_write=written,
        reasoning=as_count(outputs.get("reasoning_tokens")),
        total=as_count(value.get("total_tokens")) or None,
        price_factor=_factor(tier, model),
    )


def _factor(tier: Json, model: str) -> float:
    factor = _TIERS.get(tier, 1.0) if isinstance(tier, str) else 1.0
    return 2.5 if factor == 2.0 and model.rpartition("/")[2] == "gpt-5.5" else factor
