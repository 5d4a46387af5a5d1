"""What an answer cost (pi-on-disk.md, 8.4; pi: calculateCost)."""

from __future__ import annotations

from dataclasses import dataclass

from piproxy.events import Usage
from piproxy.model import Cost, Rates

_PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars, by part."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    total: float
    """The sum of the parts, or what the provider says it charged."""
    billed: bool = False
    """:attr:`total` is the provider's own figure."""


def cost_of(usage: Usage, cost: Cost) -> Price:
    """The price of a whole request.

    A tier applies to everything as soon as the input, cached tokens included, is above its limit. An hour of cache is
    written at twice the input rate. ``usage.billed`` (OpenRouter) replaces the total.
    """
    rates = rates_for(cost, usage.input + usage.cache_read + usage.cache_write)
    short = usage.cache_write - usage.cache_write_1h
    per_token = usage.price_factor / _PER
    parts = (
        rates.input * per_token * usage.input,
        rates.output * per_token * usage.output,
        rates.cache_read * per_token * usage.cache_read,
        (rates.cache_write * short + rates.input * 2 * usage.cache_write_1h) * per_token,
    )
    if usage.billed is not None:
        return Price(*parts, total=usage.billed, billed=True)
    return Price(*parts, total=sum(parts))


def rates_for(cost: Cost, input_tokens: float) -> Rates:
    """The rates of the highest tier whose limit is strictly below ``input_tokens``, else the base rates."""
    best: tuple[float, Rates] = (-1.0, cost)
    for above, rates in cost.tiers:
        if input_tokens > above > best[0]:
            best = above, rates
    return best[1]
