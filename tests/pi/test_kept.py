from __future__ import annotations

import pytest

from piproxy.pi.kept import RECENT, Kept


@pytest.mark.parametrize(("age", "goes"), [(0.0, False), (RECENT - 0.001, False), (RECENT, True), (1e6, True)])
def test_what_is_refused_goes_unless_it_is_new(*, age: float, goes: bool) -> None:
    """What was just made would be made the same again; the others are not touched."""
    now = 100.0
    kept: Kept[str, int] = Kept(lambda: now)
    kept.put("a", 1)
    kept.put("b", 2)
    now += age
    assert kept.refused("a") is goes
    assert (kept.get("a"), kept.get("b")) == (None if goes else 1, 2)


def test_what_was_never_made_cannot_be_refused() -> None:
    """A provider may refuse what another program made."""
    kept: Kept[str, int] = Kept(lambda: 0.0)
    assert not kept.refused("a")
    assert kept.get("a") is None


def test_a_new_value_is_new_again() -> None:
    """Its time is that of its own making."""
    now = 0.0
    kept: Kept[str, int] = Kept(lambda: now)
    kept.put("a", 1)
    now = RECENT
    assert kept.put("a", 2) == 2
    assert not kept.refused("a")
    kept.forget("a")
    assert kept.get("a") is None
