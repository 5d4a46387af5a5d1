"""How many tokens an answer cost (wire reference, 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.events import Usage
from piproxy.jsontext import Json

_TIERS: Final[Mapping[str, float]] = {"flex": 0.5, "priority": 2.0, "fast": 2.0}
"""What a service tier costs, against the usual price (as pi reckons)."""


def counted(value: Json, tier: Json = None, model: str = "") -> Usage | None:
    """The provider's own numbers; its ``input_tokens`` include what was read from and written to its cache.

    ``tier`` is the ``service_tier`` that the answer names, ``model`` the id of the model that was asked.
    """
    if not isinstance(value, dict) or not value:
        return None
    inputs, outputs = _details(value, "input_tokens_details"), _details(value, "output_tokens_details")
    read, written = _int(inputs, "cached_tokens"), _int(inputs, "cache_write_tokens")
    return Usage(
        input=max(0, _int(value, "input_tokens") - read - written),
        output=_int(value, "output_tokens"),
        cache_read=read,
        cache_write=written,
        reasoning=_int(outputs, "reasoning_tokens"),
        total=_int(value, "total_tokens") or None,
        price_factor=_factor(tier, model),
    )


def _factor(tier: Json, model: str) -> float:
    factor = _TIERS.get(tier, 1.0) if isinstance(tier, str) else 1.0
    return 2.5 if factor == 2.0 and model.rpartition("/")[2] == "gpt-5.5" else factor


def _details(usage: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}


def _int(value: Mapping[str, Json], name: str) -> int:
    number = value.get(name)
    return number if isinstance(number, int) and number > 0 else 0
