"""Thinking, effort and sampling on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.claude import FABLE, FIREWORKS, OPUS_46, OPUS_48, OTHER, SONNET_45, body, chat, request

from piproxy.chat import AssistantMessage, Tool, ToolCall, ToolChoice, ToolMessage, UserMessage
from piproxy.model import Model
from piproxy.wire.anthropic_messages.thinking import INTERLEAVED
from piproxy.wire.room import Options

PLAIN = replace(SONNET_45, reasoning=False)
OFF = {"type": "disabled"}


def on(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget, "display": "summarized"}


def adaptive(display: str = "summarized") -> dict[str, Any]:
    return {"type": "adaptive", "display": display}


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "wire_effort"),
    [
        (SONNET_45, None, None, None),
        (SONNET_45, "none", OFF, None),
        (SONNET_45, "minimal", on(1024), None),
        (SONNET_45, "low", on(2048), None),
        (SONNET_45, "medium", on(8192), None),
        (SONNET_45, "high", on(16384), None),
        (SONNET_45, "max", on(16384), None),
        (OPUS_46, None, None, None),
        (OPUS_46, "none", OFF, None),
        (OPUS_46, "minimal", adaptive(), "low"),
        (OPUS_46, "medium", adaptive(), "medium"),
        (OPUS_46, "xhigh", adaptive(), "max"),
        (OPUS_48, "xhigh", adaptive(), "xhigh"),
        (OPUS_48, "max", adaptive(), "max"),
        (FABLE, None, None, None),
        (FABLE, "none", adaptive("omitted"), "low"),
        (FABLE, "high", adaptive(), "high"),
        (FIREWORKS, "medium", adaptive(), "high"),
        (FIREWORKS, "none", OFF, None),
        (PLAIN, None, None, None),
        (PLAIN, "none", None, None),
        (PLAIN, "high", None, None),
    ],
)
def test_effort(model: Model, effort: str | None, thinking: dict[str, Any] | None, wire_effort: str | None) -> None:
    """The model's entry decides between budget and adaptive thinking; absent effort sends nothing."""
    sent = body(chat(reasoning_effort=effort), model)
    assert sent.get("thinking") == thinking
    assert sent.get("output_config", {}).get("effort") == wire_effort


def test_an_effort_without_thinking_is_named() -> None:
    """A model that cannot think says so; ``none`` is what it does anyway."""
    assert request(chat(reasoning_effort="high"), PLAIN).dropped == ("reasoning_effort",)
    assert request(chat(reasoning_effort="none"), PLAIN).dropped == ()


def test_interleaved_thinking() -> None:
    """The beta comes with a budget, and only then."""
    assert request(chat(reasoning_effort="low")).headers["anthropic-beta"] == INTERLEAVED
    for model, effort in ((SONNET_45, "none"), (SONNET_45, None), (OPUS_46, "low")):
        assert "anthropic-beta" not in request(chat(reasoning_effort=effort), model).headers


@pytest.mark.parametrize(
    ("cap", "thinking"), [(20_000, on(16384)), (3000, on(1976)), (2048, on(1024)), (2047, None), (100, None)]
)
def test_the_clients_cap_is_kept(cap: int, thinking: dict[str, Any] | None) -> None:
    """Thinking shrinks under the client's limit, and the limit never grows."""
    wire = request(chat(reasoning_effort="high", max_tokens=cap))
    sent = body(chat(reasoning_effort="high", max_tokens=cap))
    assert sent["max_tokens"] == cap
    assert sent.get("thinking") == thinking
    assert wire.dropped == (() if thinking else ("reasoning_effort",))


def test_the_limit_is_always_sent() -> None:
    """The API requires one: the model's own, or the client's, cut to what the model can give."""
    assert body(chat())["max_tokens"] == 64_000
    assert body(chat(max_tokens=1_000_000))["max_tokens"] == 64_000
    assert body(chat(), replace(SONNET_45, max_tokens=0))["max_tokens"] == 4096


@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("named", ("f",))])
def test_a_forced_tool_wins_over_a_budget(choice: ToolChoice) -> None:
    """The two exclude each other with a budget, not with adaptive thinking."""
    asked = chat(tools=(Tool("f"),), tool_choice=choice, reasoning_effort="high")
    assert "thinking" not in body(asked)
    assert request(asked).dropped == ("reasoning_effort",)
    assert body(asked, OPUS_46)["thinking"] == adaptive()


LOOP = (UserMessage("q"), AssistantMessage(None, (ToolCall("t", "f", "{}"),)), ToolMessage("1", "t"))
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def test_a_loop_whose_thinking_is_lost() -> None:
    """With a budget Anthropic refuses a running tool loop that does not begin with thinking: it goes on without."""
    asked = chat(*LOOP, reasoning_effort="low", tools=(Tool("f"),))
    assert "thinking" not in body(asked)
    assert "thinking" in body(asked, OPUS_46)
    kept = {"t": {"model": SONNET_45.canonical_id, "blocks": [THOUGHT, {"type": "tool_use", "id": "t"}]}}
    sent = body(asked, SONNET_45, Options(replay=kept))
    assert sent["thinking"] == on(2048)
    assert sent["messages"][1]["content"][0] == THOUGHT
    ended = chat(*LOOP, AssistantMessage("done"), UserMessage("r"), reasoning_effort="low")
    assert "thinking" in body(ended)


def test_a_prefilled_answer_excludes_a_budget() -> None:
    """Thinking would have to come before words that are there already."""
    asked = chat(UserMessage("q"), AssistantMessage("Sure:"), reasoning_effort="low")
    assert "thinking" not in body(asked, OTHER)


@pytest.mark.parametrize(
    ("model", "fields", "sent", "dropped"),
    [
        (SONNET_45, {"temperature": 0.3}, {"temperature": 0.3}, ()),
        (SONNET_45, {"temperature": 1.7}, {"temperature": 1}, ()),
        (SONNET_45, {"temperature": 0}, {"temperature": 0}, ()),
        (SONNET_45, {"top_p": 0.5, "top_k": 7}, {"top_p": 0.5, "top_k": 7}, ()),
        (SONNET_45, {"temperature": 1, "top_p": 0.5}, {"temperature": 1}, ("top_p",)),
        (SONNET_45, {"temperature": 1, "reasoning_effort": "low"}, {}, ("temperature",)),
        (SONNET_45, {"temperature": 1, "reasoning_effort": "none"}, {"temperature": 1}, ()),
        (SONNET_45, {"top_p": 0.96, "top_k": 3, "reasoning_effort": "low"}, {"top_p": 0.96}, ("top_k",)),
        (SONNET_45, {"top_p": 0.9, "reasoning_effort": "low"}, {}, ("top_p",)),
        (OPUS_46, {"temperature": 0.3}, {"temperature": 0.3}, ()),
        (OPUS_48, {"temperature": 1, "top_p": 1, "top_k": 2}, {}, ("temperature", "top_p", "top_k")),
        (OPUS_48, {"top_p": 0.99, "reasoning_effort": "low"}, {}, ("top_p",)),
        (FABLE, {"temperature": 1}, {}, ("temperature",)),
        (replace(OPUS_46, compat={"supportsMidConvoEffort": True}), {"temperature": 1}, {}, ("temperature",)),
    ],
)
def test_sampling(model: Model, fields: dict[str, Any], sent: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Only what the model takes is sent, and the rest is named."""
    wire = body(chat(**fields), model)
    assert {name: wire[name] for name in ("temperature", "top_p", "top_k") if name in wire} == sent
    assert request(chat(**fields), model).dropped == dropped
