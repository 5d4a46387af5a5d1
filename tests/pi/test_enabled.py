"""enabledModels names the models that pi's own resolver finds (checked with pi 1.5.2's code over the whole catalog)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.pidir import PiDirectory, model

from piproxy.jsontext import Json
from piproxy.pi.enabled import read_enabled, select

MODELS = (
    model("anthropic", "claude-sonnet-5", name="Claude Sonnet 5"),
    model("anthropic", "claude-sonnet-5-20260101", name="Claude Sonnet 5 (2026)"),
    model("anthropic", "claude-sonnet-4", name="Claude Sonnet 4"),
    model("anthropic", "claude-big[1m]", name="Big"),
    model("openai", "gpt-5", name="GPT-5"),
    model("azure", "gpt-5", name="GPT-5"),
    model("openrouter", "anthropic/claude-sonnet-5", name="Sonnet via OpenRouter"),
    model("openrouter", "qwen/qwen3:free", name="Qwen"),
    model("openrouter/eu", "m:high", name="Nested"),
)

ROWS = [
    ("anthropic/claude-sonnet-5", {"anthropic/claude-sonnet-5"}),
    ("ANTHROPIC/Claude-Sonnet-5", {"anthropic/claude-sonnet-5"}),
    ("claude-sonnet-4", {"anthropic/claude-sonnet-4"}),
    ("gpt-5", {"openai/gpt-5", "azure/gpt-5"}),
    ("openai/gpt-5:high", {"openai/gpt-5"}),
    ("openai/gpt-5:nonsense", {"openai/gpt-5"}),
    ("qwen/qwen3:free", {"openrouter/qwen/qwen3:free"}),
    ("openrouter/qwen/qwen3:free", {"openrouter/qwen/qwen3:free"}),
    ("openrouter/eu/m:high", {"openrouter/eu/m:high"}),
    ("sonnet", {"anthropic/claude-sonnet-5"}),
    ("anthropic/sonnet", {"anthropic/claude-sonnet-5"}),
    ("claude sonnet 4", {"anthropic/claude-sonnet-4"}),
    ("20260101", {"anthropic/claude-sonnet-5-20260101"}),
    ("claude-big[1m]", {"anthropic/claude-big[1m]"}),
    ("claude-big[1m]:high", {"anthropic/claude-big[1m]"}),
    (
        "anthropic/*",
        {m.canonical_id for m in MODELS if m.provider == "anthropic"} | {"openrouter/anthropic/claude-sonnet-5"},
    ),
    ("openrouter/*", set()),
    ("openrouter/**", {m.canonical_id for m in MODELS if m.provider.startswith("openrouter")}),
    ("gpt-*:low", {"openai/gpt-5", "azure/gpt-5"}),
    ("!openai/*", {m.canonical_id for m in MODELS}),
    ("unknown", set()),
    ("", set()),
]


@pytest.mark.parametrize(("pattern", "expected"), ROWS)
def test_one_pattern(pattern: str, expected: set[str]) -> None:
    """Exact references, globs, then parts of names."""
    chosen, idle = select([pattern], MODELS)
    assert {m.canonical_id for m in chosen} == expected
    assert idle == (() if expected else (pattern,))


def test_several_patterns_keep_the_models_order() -> None:
    """The result is in pi's order, each model once; what matches nothing is named."""
    chosen, idle = select(["gpt-5", "nothing", "openai/gpt-5", "claude-sonnet-4"], MODELS)
    assert [m.canonical_id for m in chosen] == ["anthropic/claude-sonnet-4", "openai/gpt-5", "azure/gpt-5"]
    assert idle == ("nothing",)


@pytest.mark.parametrize(
    ("content", "patterns", "problems"),
    [
        ({"enabledModels": ["a/b", 3, "c"], "theme": "x"}, ("a/b", "c"), 0),
        ({}, (), 0),
        ({"enabledModels": "a"}, (), 1),
        ("{", (), 1),
        ([], (), 0),
    ],
)
def test_reading_settings_json(content: Json, patterns: tuple[str, ...], problems: int, tmp_path: Path) -> None:
    """Only strings of ``enabledModels`` count; a broken file is told."""
    path = PiDirectory(tmp_path).settings(content).agent.settings
    found = read_enabled(path, sleep=lambda _: None)
    assert (found.patterns, len(found.problems)) == (patterns, problems)
