"""Thinking and sampling by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from piproxy.chat import Chat, Tool, ToolChoice, UserMessage
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.bedrock_converse.claude import claude, takes_cache_points
from piproxy.wire.bedrock_converse.thinking import sampling_for, thinking_for

NEW: Final = {"xhigh": "xhigh", "max": "max"}
REGION: Final = "us-east-1"


def model(id: str, levels: Mapping[str, str | None] | None = None, *, name: str = "", reasoning: bool = True) -> Model:
    return Model(
        provider="amazon-bedrock",
        id=id,
        api="bedrock-converse-stream",
        base_url="",
        name=name,
        reasoning=reasoning,
        thinking_level_map=levels or {},
    )


BUDGET: Final = model("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
OPUS_46: Final = model("anthropic.claude-opus-4-6-v1", {"max": "max"})
SONNET_5: Final = model("eu.anthropic.claude-sonnet-5", NEW)
FABLE: Final = model("anthropic.claude-fable-5", {"off": None, **NEW})
PROFILE: Final = model("arn:aws:bedrock:eu-west-1:1:application-inference-profile/x", name="Claude Opus 4.7")
GPT: Final = model("openai.gpt-5.5", {"xhigh": "xhigh"})
OSS: Final = model("openai.gpt-oss-120b-1:0")
NOVA: Final = model("amazon.nova-2-lite-v1:0")
PLAIN: Final = model("anthropic.claude-3-haiku-20240307-v1:0", reasoning=False)
DISABLED: Final = {"thinking": {"type": "disabled"}}


def adaptive(effort: str) -> Json:
    return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}


def budget(tokens: int) -> Json:
    return {
        "thinking": {"type": "enabled", "budget_tokens": tokens, "display": "summarized"},
        "anthropic_beta": ["interleaved-thinking-2025-05-14"],
    }


def chat(effort: str | None = None, choice: ToolChoice | None = None, **fields: Json) -> Chat:
    tools = (Tool("f"),) if choice else ()
    return Chat(
        model="m", messages=(UserMessage("Hi"),), reasoning_effort=effort, tools=tools, tool_choice=choice, **fields
    )


@pytest.mark.parametrize(
    ("given", "effort", "fields"),
    [
        (BUDGET, None, {}),
        (BUDGET, "none", {}),
        (BUDGET, "minimal", budget(1024)),
        (BUDGET, "high", budget(16384)),
        (BUDGET, "max", budget(16384)),
        (OPUS_46, None, {}),
        (OPUS_46, "none", {}),
        (OPUS_46, "minimal", adaptive("low")),
        (OPUS_46, "max", adaptive("max")),
        (OPUS_46, "xhigh", adaptive("max")),
        (SONNET_5, None, {}),
        (SONNET_5, "none", DISABLED),
        (SONNET_5, "xhigh", adaptive("xhigh")),
        (FABLE, None, {}),
        (FABLE, "none", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (FABLE, "medium", adaptive("medium")),
        (PROFILE, "high", adaptive("high")),
        (PROFILE, "none", DISABLED),
        (GPT, "minimal", {"reasoning": {"effort": "low"}}),
        (GPT, "xhigh", {"reasoning": {"effort": "xhigh"}}),
        (OSS, "minimal", {"reasoning_effort": "low"}),
        (OSS, "high", {"reasoning_effort": "high"}),
        (NOVA, None, {}),
        (PLAIN, "none", {}),
    ],
)
def test_effort(given: Model, effort: str | None, fields: Json) -> None:
    """Each family has its own fields; nothing asked is nothing sent."""
    thinking = thinking_for(chat(effort), given, 64_000, REGION)
    assert thinking.fields == fields
    assert not thinking.ignored


@pytest.mark.parametrize(("given", "effort"), [(NOVA, "high"), (NOVA, "none"), (GPT, "none"), (PLAIN, "high")])
def test_an_effort_that_cannot_be_told_is_named(given: Model, effort: str) -> None:
    """The client hears that it was left out."""
    thinking = thinking_for(chat(effort), given, 64_000, REGION)
    assert (thinking.fields, thinking.ignored) == ({}, True)


@pytest.mark.parametrize("mode", ["required", "named"])
def test_a_forced_tool_wins_over_thinking(mode: str) -> None:
    """Claude on Bedrock refuses both together; a model that thinks by itself must be told not to."""
    choice = ToolChoice("named", ("f",)) if mode == "named" else ToolChoice("required")
    thinking = thinking_for(chat("high", choice), BUDGET, 64_000, REGION)
    assert (thinking.fields, thinking.on, thinking.ignored) == ({}, False, True)
    assert thinking_for(chat(None, choice), SONNET_5, 64_000, REGION).fields == DISABLED
    assert thinking_for(chat(None, choice), OPUS_46, 64_000, REGION).fields == {}
    assert thinking_for(chat("high", choice), FABLE, 64_000, REGION).fields == {}
    assert thinking_for(chat("high", ToolChoice("auto")), BUDGET, 64_000, REGION).on


def test_the_budget_keeps_the_clients_limit() -> None:
    """It leaves 1024 tokens for the answer, and where there is no room there is no thinking."""
    assert thinking_for(chat("high"), BUDGET, 5000, REGION).fields == budget(3976)
    none = thinking_for(chat("high"), BUDGET, 2000, REGION)
    assert (none.fields, none.on, none.ignored) == ({}, False, True)


@pytest.mark.parametrize(
    ("given", "region"),
    [(OPUS_46, "us-gov-west-1"), (model("us-gov.anthropic.claude-opus-4-6-v1", {"max": "max"}), REGION)],
)
def test_govcloud_knows_no_display(given: Model, region: str) -> None:
    """It refuses the member."""
    assert thinking_for(chat("low"), given, None, region).fields["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("given", "thinks", "asked", "kept", "dropped"),
    [
        (BUDGET, False, (1.7, None, 40), (1.0, None, 40), ()),
        (BUDGET, False, (0.5, 0.9, None), (0.5, None, None), ("top_p",)),
        (BUDGET, True, (0.5, 0.9, 40), (None, None, None), ("temperature", "top_p", "top_k")),
        (BUDGET, True, (None, 0.97, None), (None, 0.97, None), ()),
        (SONNET_5, False, (0.0, 0.5, 1), (None, None, None), ("temperature", "top_p", "top_k")),
        (PROFILE, False, (1.0, None, None), (None, None, None), ("temperature",)),
        (NOVA, False, (0.5, 0.9, 40), (0.5, 0.9, None), ("top_k",)),
        (NOVA, False, (None, None, None), (None, None, None), ()),
    ],
)
def test_sampling(
    given: Model,
    thinks: bool,
    asked: tuple[float | None, float | None, int | None],
    kept: tuple[float | None, float | None, int | None],
    dropped: tuple[str, ...],
) -> None:
    """Claude takes one of temperature and top_p, fewer while it thinks, and none from Opus 4.7 on."""
    temperature, top_p, top_k = asked
    got = sampling_for(chat(temperature=temperature, top_p=top_p, top_k=top_k), given, thinks=thinks)
    assert (got.temperature, got.top_p, got.top_k) == kept
    assert got.dropped == dropped


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (BUDGET, (False, False, False)),
        (OPUS_46, (True, False, False)),
        (SONNET_5, (True, True, False)),
        (FABLE, (True, True, True)),
        (model("anthropic.claude-opus-5-5", NEW), (True, True, True)),
        (model("anthropic.claude-haiku-5-5", NEW), (True, True, False)),
        (model("anthropic.claude-sonnet-4-6"), (True, False, False)),
        (model("anthropic.claude-3-5-haiku-20241022-v1:0"), (False, False, False)),
        (PROFILE, (True, True, False)),
    ],
)
def test_what_a_claude_is(given: Model, kind: tuple[bool, bool, bool]) -> None:
    """Levels of the entry decide, and the id where there are none."""
    got = claude(given)
    assert got is not None
    assert (got.adaptive, got.no_sampling, got.always_thinks) == kind


def test_flags_of_an_entry_come_first() -> None:
    """A user's models.json knows best."""
    entry = Model(
        provider="p",
        id="my.claude",
        api="bedrock-converse-stream",
        base_url="",
        compat={"forceAdaptiveThinking": True, "supportsTemperature": False},
    )
    got = claude(entry)
    assert got is not None
    assert (got.adaptive, got.no_sampling) == (True, True)


@pytest.mark.parametrize("given", [GPT, OSS, NOVA])
def test_others_are_no_claude(given: Model) -> None:
    """Their fields are their own."""
    assert claude(given) is None


@pytest.mark.parametrize(
    ("given", "takes"),
    [
        (BUDGET, True),
        (FABLE, True),
        (PROFILE, True),
        (model("anthropic.claude-3-7-sonnet-20250219-v1:0"), True),
        (model("anthropic.claude-3-5-haiku-20241022-v1:0"), True),
        (PLAIN, False),
        (NOVA, False),
    ],
)
def test_who_takes_cache_points(given: Model, takes: bool) -> None:
    """Claude from 3.5 Haiku and 3.7 Sonnet on."""
    assert takes_cache_points(given, {}) is takes


def test_an_opaque_profile_can_be_forced() -> None:
    """``AWS_BEDROCK_FORCE_CACHE=1`` speaks for a model whose id and name say nothing."""
    assert takes_cache_points(model("arn:aws:bedrock:x"), {"AWS_BEDROCK_FORCE_CACHE": "1"})
