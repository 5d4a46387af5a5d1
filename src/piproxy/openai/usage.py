"""OpenAI's ``usage`` object."""

from __future__ import annotations

from piproxy.events import Usage
from piproxy.jsontext import Json


def usage_object(usage: Usage, cost: float | None) -> dict[str, Json]:
    """``prompt_tokens`` holds cached tokens too (native wire reference, 1.7); ``cost`` is in US dollars."""
    prompt = usage.input + usage.cache_read + usage.cache_write
    total = prompt + usage.output
    if usage.total is not None and usage.total > total:  # the provider counts something that has no field here
        total = usage.total
    details = usage.details if isinstance(usage.details, dict) else {}
    prompt_details = {**_numbers(details.get("prompt")), "cached_tokens": usage.cache_read}
    if usage.cache_write:
        prompt_details["cache_write_tokens"] = usage.cache_write
    made: dict[str, Json] = {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": total,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {**_numbers(details.get("completion")), "reasoning_tokens": usage.reasoning},
    }
    if usage.estimated:
        made["estimated"] = True
    return made if cost is None else {**made, "cost": cost}


def _numbers(details: Json) -> dict[str, Json]:
    """Only counts: SDKs read nothing else there."""
    if not isinstance(details, dict):
        return {}
    return {name: value for name, value in details.items() if isinstance(value, int) and not isinstance(value, bool)}
