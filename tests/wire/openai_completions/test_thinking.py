from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import body, chat, model

from piproxy.wire.openai_completions.compat import compat_of
from piproxy.wire.openai_completions.thinking import thinking_fields

MAPPED: dict[str, str | None] = {"off": "none", "low": "LOW"}
NO_OFF: dict[str, str | None] = {"off": None, "low": "LOW"}
TEMPLATE = {
    "keep": 1,
    "on": {"$var": "thinking.enabled"},
    "effort": {"$var": "thinking.effort", "omitWhenOff": True},
    "budget": {"$var": "thinking.budget"},
}


def fields(format_: str, level: str | None, levels: dict[str, str | None], **compat: Any) -> dict[str, object]:
    entry = model(thinking_level_map=levels, compat={"thinkingFormat": format_, **compat}, max_tokens=64000)
    return thinking_fields(entry, compat_of(entry), level, None)


@pytest.mark.parametrize(
    ("format_", "on", "off", "off_unmapped"),
    [
        ("openai", {"reasoning_effort": "LOW"}, {"reasoning_effort": "none"}, {}),
        ("deepseek", {"thinking": {"type": "enabled"}, "reasoning_effort": "LOW"}, {"thinking": {"type": "disabled"}},
         {"thinking": {"type": "disabled"}}),
        ("zai", {"thinking": {"type": "enabled", "clear_thinking": False}, "reasoning_effort": "LOW"},
         {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        ("qwen", {"enable_thinking": True, "reasoning_effort": "LOW"}, {"enable_thinking": False},
         {"enable_thinking": False}),
        ("qwen-chat-template", {"chat_template_kwargs": {"enable_thinking": True, "preserve_thinking": True}},
         {"chat_template_kwargs": {"enable_thinking": False, "preserve_thinking": True}},
         {"chat_template_kwargs": {"enable_thinking": False, "preserve_thinking": True}}),
        ("openrouter", {"reasoning": {"effort": "LOW"}}, {"reasoning": {"effort": "none"}},
         {"reasoning": {"effort": "none"}}),
        ("ant-ling", {"reasoning": {"effort": "LOW"}}, {}, {}),
        ("together", {"reasoning": {"enabled": True}, "reasoning_effort": "LOW"}, {"reasoning": {"enabled": False}},
         {"reasoning": {"enabled": False}}),
        ("string-thinking", {"thinking": "LOW"}, {"thinking": "none"}, {"thinking": "none"}),
        ("of tomorrow", {"reasoning_effort": "LOW"}, {"reasoning_effort": "none"}, {}),
    ],
)  # fmt: skip
def test_formats(format_: str, on: dict[str, object], off: dict[str, object], off_unmapped: dict[str, object]) -> None:
    """Every format has its words for on and off, and says nothing when the client says nothing."""
    assert fields(format_, "low", MAPPED) == on
    assert fields(format_, "off", MAPPED) == off
    assert fields(format_, "off", {}) == off_unmapped
    assert fields(format_, None, MAPPED) == {}


@pytest.mark.parametrize("format_", ["openai", "deepseek", "openrouter", "string-thinking", "ant-ling"])
def test_off_that_does_not_exist(format_: str) -> None:
    """A map without an off never sends one."""
    assert fields(format_, "off", NO_OFF) == {}


@pytest.mark.parametrize(
    ("format_", "left"),
    [
        ("openai", {}),
        ("deepseek", {"thinking": {"type": "enabled"}}),
        ("qwen", {"enable_thinking": True}),
        ("together", {"reasoning": {"enabled": True}}),
        ("zai", {"thinking": {"type": "enabled", "clear_thinking": False}}),
        ("openrouter", {"reasoning": {"effort": "LOW"}}),
    ],
)
def test_upstream_without_effort(format_: str, left: dict[str, object]) -> None:
    """Where reasoning_effort is not understood, the rest of the format remains."""
    assert fields(format_, "low", MAPPED, supportsReasoningEffort=False) == left


def test_unmapped_level_keeps_its_name() -> None:
    """A level that the map does not name is sent under pi's name, except where only mapped ones count."""
    assert fields("openai", "high", MAPPED) == {"reasoning_effort": "high"}
    assert fields("ant-ling", "high", MAPPED) == {}


def test_templates() -> None:
    """Template values are filled in; plain ones always go along, variables only when thinking was mentioned."""

    def kwargs(level: str | None) -> object:
        return fields("chat-template", level, MAPPED, chatTemplateKwargs=TEMPLATE).get("chat_template_kwargs")

    assert kwargs("low") == {"keep": 1, "on": True, "effort": "LOW", "budget": 2048}
    assert kwargs("high") == {"keep": 1, "on": True, "effort": "high", "budget": 16384}
    assert kwargs("off") == {"keep": 1, "on": False}
    assert kwargs(None) == {"keep": 1}


def test_baseten() -> None:
    """Baseten has its own name for template arguments, and takes an effort beside them."""
    args = {"enable_thinking": {"$var": "thinking.enabled"}}
    assert fields("baseten", "low", MAPPED, chatTemplateArgs=args) == {
        "chat_template_args": {"enable_thinking": True},
        "reasoning_effort": "LOW",
    }
    assert fields("baseten", "off", MAPPED, chatTemplateArgs=args) == {
        "chat_template_args": {"enable_thinking": False},
        "reasoning_effort": "none",
    }
    assert fields("baseten", "off", {}, chatTemplateArgs=args) == {"chat_template_args": {"enable_thinking": False}}
    assert fields("baseten", None, {}, chatTemplateArgs=args) == {}


@pytest.mark.parametrize(
    ("level", "cap", "budget"),
    [("minimal", None, 1024), ("medium", None, 8192), ("high", None, 16384), ("high", 4096, 3072), ("high", 1500, None),
     ("off", None, None), (None, None, None)],
)  # fmt: skip
def test_thinking_budget(level: str | None, cap: int | None, budget: int | None) -> None:
    """A budget in tokens leaves at least 1024 of the output limit for the answer."""
    entry = model(compat={"thinkingTokenBudgetField": "thinking_budget_tokens"}, max_tokens=64000)
    assert thinking_fields(entry, compat_of(entry), level, cap).get("thinking_budget_tokens") == budget


def test_model_that_does_not_think() -> None:
    """Nothing is sent to a model without reasoning."""
    entry = model(reasoning=False, compat={"thinkingFormat": "qwen"})
    assert thinking_fields(entry, compat_of(entry), "high", None) == {}


@pytest.mark.parametrize(
    ("effort", "sent"),
    [
        (None, None),
        ("none", "none"),
        ("minimal", "LOW"),
        ("low", "LOW"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "high"),
        ("max", "high"),
    ],
)
def test_effort_is_clamped_and_mapped(effort: str | None, sent: str | None) -> None:
    """The client's word goes through the model's own levels."""
    levels: dict[str, str | None] = {"off": "none", "minimal": None, "low": "LOW"}
    assert body(chat(reasoning_effort=effort), model(thinking_level_map=levels)).get("reasoning_effort") == sent
