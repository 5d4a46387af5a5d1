"""pi's model patterns mean here what minimatch makes of them; every row was checked with minimatch 11."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from piproxy.pi.glob import is_glob, matches

ROWS = [
    # pattern, text, matches
    ("openrouter/*", "openrouter/anthropic/claude-x", False),
    ("openrouter/**", "openrouter/anthropic/claude-x", True),
    ("openrouter/**", "openrouter", False),
    ("anthropic/*", "anthropic/claude-x", True),
    ("anthropic/*", "openrouter/anthropic/claude-x", False),
    ("*sonnet*", "claude-sonnet-5", True),
    ("*sonnet*", "anthropic/claude-sonnet-5", False),
    ("**/*sonnet*", "openrouter/anthropic/claude-sonnet-5", True),
    ("**/*sonnet*", "claude-sonnet-5", True),
    ("**", "a/b/c", True),
    ("**", "a", True),
    ("a/**/c", "a/c", True),
    ("a/**/c", "a/b/b/c", True),
    ("a**c", "abbc", True),
    ("a**c", "ab/bc", False),
    ("{openai,groq}/*", "groq/x", True),
    ("{openai,groq}/*", "xai/x", False),
    ("{a,{b,c}}/*", "c/x", True),
    ("gpt-{4,5}*", "gpt-5.4", True),
    ("gpt-{4..6}*", "gpt-5", True),
    ("gpt-{4..6}*", "gpt-7", False),
    ("{c..a}*", "b1", True),
    ("x{a}*", "x{a}b", True),
    ("x{a*", "x{ab", True),
    ("!openai/*", "openai/gpt", False),
    ("!openai/*", "gpt", True),
    ("!!openai/*", "openai/gpt", True),
    ("#*", "#x", False),
    ("GPT-*", "gpt-5", True),
    ("gpt-?", "gpt-5", True),
    ("gpt-?", "gpt-55", False),
    ("gpt?5", "gpt/5", False),
    ("gpt-[45]*", "gpt-5", True),
    ("gpt-[!45]*", "gpt-5", False),
    ("gpt-[^45]*", "gpt-6", True),
    ("gpt-[4-6]", "gpt-5", True),
    ("gpt-[6-4]", "gpt-5", False),
    ("gpt-[4-]", "gpt--", True),
    ("a[]b]c*", "a]c", True),
    ("claude[1m]", "claude[1m]", False),
    ("claude[1m]", "claude1", True),
    ("claude[1m*", "claude[1m]", True),
    ("*", ".hidden", False),
    (".*", ".hidden", True),
    ("**", "a/.b", False),
    ("[.]x", ".x", False),
    ("a/*", "a/", False),
    ("\\*x*", "*xy", True),
    ("\\*x*", "axy", False),
    ("a//b*", "a/bc", True),
    ("", "a", False),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), ROWS)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    """Stars stay in their segment, case does not matter."""
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "glob"), [("a*", True), ("a?", True), ("a[b", True), ("{a,b}", False), ("a", False)]
)
def test_what_counts_as_a_glob(pattern: str, glob: bool) -> None:
    """Braces alone do not."""
    assert is_glob(pattern) is glob


@settings(deadline=None)
@given(st.text(alphabet="ab*?[]{},!/.-\\#", max_size=12), st.text(alphabet="ab/.-", max_size=8))
def test_every_text_is_a_pattern(pattern: str, text: str) -> None:
    """No pattern is an error, and negation turns the answer round."""
    found = matches(pattern, text)
    if not pattern.startswith(("!", "#")):
        assert matches(f"!{pattern}", text) is not found


@settings(deadline=None)
@given(st.text(alphabet="abcABC012.-_:@", min_size=1, max_size=12))
def test_plain_text_matches_itself(text: str) -> None:
    """Signs without a meaning stand for themselves, whatever their case."""
    assert matches(text, text)
    assert matches(text.upper(), text)
