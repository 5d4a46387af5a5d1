"""Thought signatures on their way to the client and back."""

from __future__ import annotations

import pytest

from piproxy.jsontext import Json
from piproxy.wire.google_generative_ai import signatures


def test_a_signature_survives_the_round_trip() -> None:
    """What rides on a call, or in ``reasoning_details``, is found again."""
    assert signatures.of_call(signatures.extra_content("QUJDRA==")) == "QUJDRA=="
    assert signatures.of_details([{"type": "other"}, signatures.reasoning_detail("QUJD")]) == "QUJD"


@pytest.mark.parametrize("value", ["QUJD", "QUJDRA==", "QUJDRA", "a-_b", signatures.BYPASS])
def test_base64_of_either_alphabet_is_taken(value: str) -> None:
    """Google reads both alphabets, padded or not, and its own bypass value."""
    assert signatures.of_call({"google": {"thought_signature": value}}) == value


@pytest.mark.parametrize(
    "extra",
    [
        None,
        "x",
        {"google": None},
        {"google": {"thought_signature": ""}},
        {"google": {"thought_signature": 7}},
        {"google": {"thought_signature": "not base64!"}},
        {"anthropic": {}},
    ],
)
def test_anything_else_is_no_signature(extra: Json) -> None:
    """A foreign or damaged value would be refused by the API, so it is left out."""
    assert signatures.of_call(extra) is None


@pytest.mark.parametrize("details", [None, "x", [7], [{"format": "anthropic-claude-v1", "data": "QUJD"}]])
def test_other_providers_details_are_not_ours(details: Json) -> None:
    """Reasoning that another vendor signed means nothing here."""
    assert signatures.of_details(details) is None
