from __future__ import annotations

import re

import pytest

from piproxy.wire.openai_completions.toolids import wire_ids


@pytest.mark.parametrize(
    ("given", "short", "expected"),
    [
        ("call_1", True, "call_1"),
        ("ä b", False, "ä b"),
        ("x" * 40, True, "x" * 40),
        ("x" * 41, False, "x" * 41),
        ("call_1|fc_2", False, "call_1_fc_2"),
        ("call 1|fc/2=", False, "call_1_fc_2_"),
        ("call_1|", False, "call_1"),
        ("|fc", False, "fc"),
    ],
)
def test_ids(given: str, short: bool, expected: str) -> None:
    """An id stays unless it holds a bar, or is too long for OpenAI."""
    assert wire_ids([given], short=short) == {given: expected}


@pytest.mark.parametrize("given", ["x" * 41, "call_" + "é" * 60, "c" * 30 + "|" + "i/+=" * 100, "|" * 50])
def test_long_ids_are_hashed(given: str) -> None:
    """A long id becomes a head and a hash, always the same, of at most 40 safe characters."""
    wire = wire_ids([given], short=True)[given]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", wire)
    assert wire_ids(["other", given], short=True)[given] == wire


def test_different_ids_stay_different() -> None:
    """Neither two replaced ids nor a replaced and a kept one ever meet."""
    ids = ["a|b", "a_b", "a b|c", "a/b|c", "|", "||", *(f"{'x' * 40}{n}" for n in range(200))]
    wires = wire_ids(ids, short=True)
    assert wires["a_b"] == "a_b"
    assert len(set(wires.values())) == len(ids)
