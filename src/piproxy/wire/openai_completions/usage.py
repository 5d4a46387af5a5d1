"""Token counts in all the places where compatible upstreams put them (wire reference, 3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.events import Usage
from piproxy.jsontext import Json, as_object

_KNOWN: Final = frozenset(("cached_tokens", "cache_write_tokens", "reasoning_tokens"))


def usage_of(raw: Mapping[str, Json], *, dollars: bool) -> Usage | None:
    """The counts, or ``None`` if there are none. ``dollars``: ``cost`` is the price in US dollars (OpenRouter)."""
    prompt, completion, total = (
        _count(raw.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    asked, said = as_object(raw.get("prompt_tokens_details")), as_object(raw.get("completion_tokens_details"))
    read = _first(
        asked.get("cached_tokens"),
        raw.get("prompt_cache_hit_tokens"),
        raw.get("cached_tokens"),
        as_object(raw.get("prompt_token_details")).get("cached_tokens"),
        raw.get("num_cached_tokens"),
    )
    written = _first(asked.get("cache_write_tokens"))
    reasoning = _first(said.get("reasoning_tokens"), raw.get("reasoning_tokens"))
    if reasoning and total == prompt + completion + reasoning:
        completion += reasoning  # xAI and others count thinking beside the completion
    return Usage(
        input=max(0, prompt - read - written),
        output=completion,
        cache_read=read,
        cache_write=written,
        reasoning=reasoning,
        total=total,
        billed=_billed(raw) if dollars else None,
        details=_others(asked, said),
    )


def _billed(raw: Mapping[str, Json]) -> float | None:
    """What OpenRouter charged, and what the upstream charged to the user's own key."""
    cost = _number(raw.get("cost"))
    if cost is None or not raw.get("is_byok"):
        return cost
    parts = as_object(raw.get("cost_details"))
    upstream = _number(parts.get("upstream_inference_cost"))
    if upstream is None:
        pair = [_number(parts.get(f"upstream_inference_{side}_cost")) for side in ("prompt", "completions")]
        upstream = sum(side for side in pair if side is not None)
    return cost + upstream


def _others(asked: Mapping[str, Json], said: Mapping[str, Json]) -> Json | None:
    """Further counts of the details objects: audio, predictions …"""
    found = {
        side: {name: value for name, value in details.items() if name not in _KNOWN and _count(value)}
        for side, details in (("prompt", asked), ("completion", said))
    }
    kept = {side: counts for side, counts in found.items() if counts}
    return kept or None


def _first(*values: Json) -> int:
    """The first value that is a count, else 0."""
    return next((count for count in map(_count, values) if count is not None), 0)


def _count(value: Json) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _number(value: Json) -> float | None:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < float("inf") else None
