"""Tool-call ids across providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.toolids import ANTHROPIC, MISTRAL, OPENAI, RESPONSES, IdMap, IdRule


@pytest.mark.parametrize(
    ("rule", "id", "fits"),
    [
        (ANTHROPIC, "toolu_01AbC-9", True),
        (ANTHROPIC, "a" * 64, True),
        (ANTHROPIC, "a" * 65, False),
        (ANTHROPIC, "call|fc_1", False),
        (ANTHROPIC, "aufruf_ä", False),
        (ANTHROPIC, "", False),
        (MISTRAL, "abcDEF123", True),
        (MISTRAL, "abcDEF12", False),
        (MISTRAL, "abcDEF_12", False),
        (OPENAI, "call|fc_1", True),
        (OPENAI, "x" * 41, False),
    ],
)
def test_what_fits_stays(rule: IdRule, id: str, fits: bool) -> None:
    """An id that the API would take is sent as it is, and any other is replaced by one that it takes."""
    assert rule.fits(id) is fits
    wire = IdMap(rule, [id]).to_wire(id)
    assert rule.fits(wire)
    assert (wire == id) is fits


@pytest.mark.parametrize("rule", [ANTHROPIC, MISTRAL, OPENAI, RESPONSES])
@given(ids=st.lists(st.text(max_size=80), max_size=30))
def test_one_to_one_and_undone(rule: IdRule, ids: list[str]) -> None:
    """Different ids stay different, every wire id fits, and the way back gives the client's id."""
    mapped = IdMap(rule, ids)
    wires = {given_id: mapped.to_wire(given_id) for given_id in ids}
    assert len(set(wires.values())) == len(set(ids))
    assert all(map(rule.fits, wires.values()))
    assert all(mapped.to_client(wire) == given_id for given_id, wire in wires.items())


def test_same_id_in_every_request() -> None:
    """The replacement depends on the id alone, not on what else is in the conversation."""
    first = IdMap(MISTRAL, ["call_1"]).to_wire("call_1")
    later = IdMap(MISTRAL, ["other_call", "call_1", "third"]).to_wire("call_1")
    assert first == later


def test_a_replacement_never_takes_a_real_id() -> None:
    """An id of the history that fits keeps its place, even if an earlier id would be replaced by it."""
    taken = IdMap(MISTRAL).to_wire("call_1")
    mapped = IdMap(MISTRAL, ["call_1", taken])
    assert mapped.to_wire(taken) == taken
    assert mapped.to_wire("call_1") != taken


def test_long_ids_with_the_same_start_stay_apart() -> None:
    """Cutting at the limit alone would make two ids one."""
    mapped = IdMap(ANTHROPIC)
    wires = {mapped.to_wire("x" * 70 + end) for end in "abc"}
    assert len(wires) == 3
    assert all(wire.startswith("xxxx") and len(wire) == 64 for wire in wires)


def test_a_new_id_of_the_provider_is_the_clients_too() -> None:
    """An id that the provider made up is passed on as it is."""
    assert IdMap(ANTHROPIC, ["call_1"]).to_client("toolu_new") == "toolu_new"


def test_half_a_surrogate_pair_is_no_problem() -> None:
    """Any string that JSON can carry can be an id."""
    assert IdMap(ANTHROPIC).to_wire("call_\ud83d").startswith("call__")
