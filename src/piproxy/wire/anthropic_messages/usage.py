"""Token counts, gathered from ``message_start`` and every ``message_delta`` (wire-native-apis.md, 1.7 and 2.10)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from piproxy.events import Usage
from piproxy.jsontext import Json

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class Tally:
    """The latest known counts: they are cumulative, and a field that is null or absent changes nothing."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._thinking = 0
        self._billed: float | None = None

    def add(self, usage: Json) -> None:
        """One ``usage`` object; anything else is ignored."""
        if not isinstance(usage, dict):
            return
        for name in _COUNTS:
            count = _count(usage.get(name))
            if count is not None:
                self._counts[name] = count
        written = usage.get("cache_creation")
        if isinstance(written, dict):
            for name, value in written.items():
                count = _count(value)
                if count is not None:
                    self._written[name] = count
        details = usage.get("output_tokens_details")
        thinking = _count(details.get("thinking_tokens")) if isinstance(details, dict) else None
        self._thinking = self._thinking if thinking is None else thinking
        billed = _billed(usage)
        self._billed = self._billed if billed is None else billed

    def total(self) -> Usage | None:
        """The usage of the answer; ``None`` if the provider never counted."""
        if not self._counts:
            return None
        counts = self._counts
        return Usage(
            input=counts.get("input_tokens", 0),
            output=counts.get("output_tokens", 0),
            cache_read=counts.get("cache_read_input_tokens", 0),
            cache_write=counts.get("cache_creation_input_tokens", sum(self._written.values())),
            cache_write_1h=self._written.get("ephemeral_1h_input_tokens", 0),
            reasoning=self._thinking,
            billed=self._billed,
        )


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _price(value: Json) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) and value >= 0 else None


def _billed(usage: Mapping[str, Json]) -> float | None:
    """What OpenRouter charged: its own price, and with the user's own provider key also what that provider takes."""
    cost = _price(usage.get("cost"))
    own_key = usage.get("is_byok")
    if cost is None or not isinstance(own_key, bool):
        return None
    if not own_key:
        return cost
    details = usage.get("cost_details")
    if not isinstance(details, dict):
        return None
    upstream = _price(details.get("upstream_inference_cost"))
    if upstream is None:
        prompt = _price(details.get("upstream_inference_prompt_cost"))
        completions = _price(details.get("upstream_inference_completions_cost"))
        upstream = None if prompt is None or completions is None else prompt + completions
    return None if upstream is None else cost + upstream
