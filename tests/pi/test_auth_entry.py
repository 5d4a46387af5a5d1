from __future__ import annotations

import math
from typing import Final
from unittest.mock import ANY

import pytest

from piproxy.pi.auth_entry import ApiKeyEntry, OAuthEntry, UnusableEntry, find_entry, read_entry

AD: Final = {"A": "1", "D": "d"}


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ({"type": "api_key", "key": "k"}, ApiKeyEntry("k")),
        ({"type": "api_key"}, ApiKeyEntry()),
        ({"type": "api_key", "key": None, "env": None}, ApiKeyEntry()),
        ({"type": "api_key", "env": {"A": "b"}}, ApiKeyEntry(None, {"A": "b"})),
        ({"type": "api_key", "key": 1}, UnusableEntry("key is not a string")),
        ({"type": "api_key", "key": "k", "env": {"A": 1, "B": None, "C": ["x"], "D": "d"}}, ApiKeyEntry("k", AD)),
        ({"type": "api_key", "key": "k", "env": ["A"]}, ApiKeyEntry("k")),
        ({"type": "oauth", "access": None, "refresh": "r"}, UnusableEntry("access or refresh is no text")),
        ({"type": "oauth", "expires": 1}, UnusableEntry("access and refresh are missing")),
        ({"type": "oauth", "access": "a", "refresh": 1}, UnusableEntry("access or refresh is no text")),
        ({"type": "magic"}, UnusableEntry("unknown type 'magic'")),
        ({"key": "k"}, UnusableEntry("the entry has no type")),
        ("sk-x", UnusableEntry("the entry is not an object")),
        (None, UnusableEntry("the entry is not an object")),
    ],
)
def test_every_shape_is_read(value: object, entry: object) -> None:
    """pi-on-disk.md, 1.5 and 2.1: what pi would not use owns its provider and configures nothing."""
    assert read_entry(value) == entry


@pytest.mark.parametrize(
    ("members", "expires"),
    [
        ({"expires": 5}, 5),
        ({"expires": 5.5}, 5.5),
        ({"expires": None}, 0),
        ({"expires": True}, 1),
        ({"expires": "1796200000000"}, 1796200000000),
        ({"expires": math.inf}, math.inf),
        ({"expires": -math.inf}, -math.inf),
        ({"expires": "NaN"}, math.inf),
        ({"expires": "soon"}, math.inf),
        ({"expires": {}}, math.inf),
        ({}, math.inf),
    ],
)
def test_an_end_is_what_javascript_takes_it_for(members: dict[str, object], expires: float) -> None:
    """pi compares without looking: its own NaN, stored as null, means a renewal; what is no number never comes."""
    entry = read_entry({"type": "oauth", "access": "a", "refresh": "r", **members})
    assert isinstance(entry, OAuthEntry)
    assert entry.expires == expires


def test_a_login_without_a_refresh_token_is_one() -> None:
    """As long as its token lasts."""
    assert read_entry({"type": "oauth", "access": "a", "expires": 5}) == OAuthEntry("a", "", 5, ANY)


def test_a_login_without_an_access_token_is_to_be_renewed() -> None:
    """Whatever its end: a refresh token alone, moved here from another machine, is enough."""
    assert read_entry({"type": "oauth", "refresh": "r", "expires": 4e12}) == OAuthEntry("", "r", 0, ANY)


def test_a_login_keeps_its_extras() -> None:
    """Each provider has its own."""
    raw = {"type": "oauth", "access": "a", "refresh": "r", "expires": 5, "accountId": "x", "n": 1}
    entry = read_entry(raw)
    assert entry == OAuthEntry("a", "r", 5, raw)
    assert isinstance(entry, OAuthEntry)
    assert (entry.text("accountId"), entry.text("n"), entry.text("no")) == ("x", "", "")


@pytest.mark.parametrize(
    ("ids", "expected"), [(["m"], frozenset({"m"})), ([], frozenset()), ([1], None), ("m", None), (None, None)]
)
def test_copilots_model_list_counts_when_it_is_a_list_of_names(ids: object, expected: object) -> None:
    """Anything else means all models."""
    entry = OAuthEntry("a", "r", 5, {"availableModelIds": ids})
    assert entry.available_model_ids == expected


def test_azure_is_found_under_both_of_its_ids() -> None:
    """And each id is preferred when it is asked for."""
    old, new = {"type": "api_key", "key": "old"}, {"type": "api_key", "key": "new"}
    assert find_entry({"azure-openai-responses": old}, "azure") == ("azure-openai-responses", ApiKeyEntry("old"))
    assert find_entry({"azure": new}, "azure-openai-responses") == ("azure", ApiKeyEntry("new"))
    both = {"azure-openai-responses": old, "azure": new}
    assert find_entry(both, "azure") == ("azure", ApiKeyEntry("new"))
    assert find_entry(both, "groq") is None


def test_secrets_stay_out_of_the_representation() -> None:
    """A log line of an entry shows none."""
    shown = repr([ApiKeyEntry("s3cret", {"A": "s3cret"}), OAuthEntry("s3cret", "s3cret", 1, {"a": "s3cret"})])
    assert "s3cret" not in shown
