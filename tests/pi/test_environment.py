from __future__ import annotations

import pytest

from piproxy.pi.environment import ALIASES, KEY_VARIABLES, OAUTH, PROVIDERS, first, key_variables, value


def test_the_table_holds_every_provider_of_pi() -> None:
    """43 ids in pi 1.5.2, in its order; nine of them can store a login."""
    assert len(PROVIDERS) == 43
    assert (PROVIDERS[0], PROVIDERS[-1]) == ("amazon-bedrock", "zai-coding-cn")
    assert len(OAUTH) == 9
    assert set(PROVIDERS) >= OAUTH


def test_every_provider_but_codex_has_a_key_variable() -> None:
    """ChatGPT's own API takes logins only."""
    assert [provider for provider in PROVIDERS if not KEY_VARIABLES[provider]] == ["openai-codex"]


@pytest.mark.parametrize(("text", "expected"), [("x", "x"), (" x ", " x "), ("", None), ("  \t", None)])
def test_white_space_alone_is_absent(text: str, expected: str | None) -> None:
    """And a value is never trimmed."""
    assert value({"A": text}, "A") == expected
    assert value({}, "A") is None


def test_the_first_variable_that_is_present_wins() -> None:
    """With its name, for the words of `doctor`."""
    assert first({"B": "2", "A": " ", "C": "3"}, ("A", "B", "C")) == ("B", "2")
    assert first({}, ("A",)) is None


def test_an_older_id_has_the_same_variables() -> None:
    """pi 0.x calls azure azure-openai-responses."""
    assert key_variables(ALIASES["azure"]) == ("AZURE_OPENAI_API_KEY",)
    assert key_variables("corp") == ()
