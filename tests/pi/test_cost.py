"""Prices are pi's."""

from __future__ import annotations

import pytest

from piproxy.events import Usage
from piproxy.model import Cost, Rates
from piproxy.pi.cost import cost_of

COST = Cost(2.5, 15, 0.25, 3, tiers=((272_000, Rates(5, 22.5, 0.5, 6)), (100, Rates(3, 16, 0.3, 4))))

VECTORS = [
    (Usage(input=100, output=10), (0.00025, 0.00015, 0, 0, 0.0004)),
    (Usage(input=101, output=10), (0.000303, 0.00016, 0, 0, 0.000463)),
    (Usage(input=200_000, cache_read=72_000, output=1), (0.6, 0.000016, 0.0216, 0, 0.621616)),
    (Usage(input=200_000, cache_read=72_001, output=1), (1, 0.0000225, 0.0360005, 0, 1.036023)),
    (Usage(input=50, cache_write=40, cache_write_1h=30), (0.000125, 0, 0, 0.00018, 0.000305)),
]


@pytest.mark.parametrize(("usage", "expected"), VECTORS)
def test_prices_of_pi(usage: Usage, expected: tuple[float, ...]) -> None:
    """Tiers, cached tokens and hour-long cache writes cost what pi says."""
    price = cost_of(usage, COST)
    parts = (price.input, price.output, price.cache_read, price.cache_write, price.total)
    assert parts == pytest.approx(expected, rel=1e-12)
    assert not price.billed


def test_what_the_provider_charged_is_the_total() -> None:
    """A reported charge replaces the sum; the parts stay."""
    price = cost_of(Usage(input=100, output=10, billed=0.5), COST)
    assert (price.total, price.billed, price.input) == (0.5, True, 0.00025)


def test_free_model_costs_nothing() -> None:
    """Without rates the price is zero."""
    assert cost_of(Usage(input=1, output=1, cache_read=1, cache_write=1), Cost()).total == 0


def test_a_service_tier_has_its_price() -> None:
    """Half for flex, twice for priority: every part of the price."""
    cost = Cost(input=1, output=2, cache_read=0.5, cache_write=4)
    usage = Usage(input=100, output=10, cache_read=4, cache_write=2, price_factor=0.5)
    assert cost_of(usage, cost).total == pytest.approx((100 + 20 + 2 + 8) / 2 / 1e6)
