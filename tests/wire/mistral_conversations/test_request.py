from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from piproxy.chat import Chat, ResponseFormat, Tool, ToolChoice, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.wire.mistral_conversations.request import build_request
from piproxy.wire.room import Options, WireRequest

CHAT = Chat(model="m", messages=(UserMessage("Hi"),))
PLAIN = Model(provider="mistral", id="mistral-large", api="mistral-conversations", base_url="https://api.mistral.ai")
THINKER = replace(
    PLAIN,
    reasoning=True,
    thinking_level_map={"off": "none", "minimal": None, "low": None, "medium": None, "high": "high"},
)
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"const": 1}}}
KNOWN = {
    "model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "random_seed", "metadata",
    "response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction",
    "parallel_tool_calls", "reasoning_effort", "prompt_mode", "guardrails", "prompt_cache_key", "service_tier",
    "safe_prompt",
}  # fmt: skip
"""What the API accepts; everything else is answered with 422."""


def build(model: Model = PLAIN, options: Options | None = None, **fields: Any) -> WireRequest:
    return build_request(replace(CHAT, **fields), model, options or Options())


def sent(model: Model = PLAIN, options: Options | None = None, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(build(model, options, **fields).body)
    assert set(body) <= KNOWN
    return body


def test_the_smallest_request() -> None:
    """What the client did not ask for is not sent."""
    request = build()
    assert json.loads(request.body) == {
        "model": "mistral-large",
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert request.url == "https://api.mistral.ai/v1/chat/completions"
    assert request.auth == "bearer"
    assert request.headers == {"accept": "text/event-stream", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 10**9}, {"max_tokens": 16_384}),
        ({"stop": ("\n\n", "END")}, {"stop": ["\n\n", "END"]}),
        ({"seed": 7}, {"random_seed": 7}),
        ({"presence_penalty": 1.0}, {"presence_penalty": 1.0}),
        ({"frequency_penalty": 1.0}, {"frequency_penalty": 1.0}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1}}),
        ({"prediction": {"type": "content", "content": "x"}}, {"prediction": {"type": "content", "content": "x"}}),
        ({"service_tier": "standard_only"}, {"service_tier": "standard_only"}),
        ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
        ({"response_format": ResponseFormat("text")}, {}),
        ({"response_format": ResponseFormat("json_object")}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": ResponseFormat("json_schema", "n", "d", SCHEMA, strict=True)},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        ({"extra": {"safe_prompt": True, "top_a": 1}}, {"safe_prompt": True}),
    ],
)
def test_fields_that_the_api_knows(fields: Mapping[str, Any], want: Mapping[str, Any]) -> None:
    """Every field that has a place, and its place."""
    assert sent(**fields) == {**sent(), **want}


def test_fields_without_a_place_are_skipped_and_named() -> None:
    """Mistral would answer 422 to each of them."""
    fields: dict[str, Any] = {
        "verbosity": "low",
        "user": "u",
        "service_tier": "flex",
        "safety_identifier": "s",
        "store": True,
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit"},
        "top_k": 3,
        "min_p": 0.1,
        "cache_control": {"type": "ephemeral"},
        "reasoning_effort": "high",
    }
    request = build(**fields, given=("temperature", *fields), extra={"top_a": 1})
    assert request.body == build().body
    assert request.dropped == (*fields, "top_a")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"logprobs": True}, "logprobs"),
        ({"web_search_options": {"a": 1}}, "web_search_options"),
        ({"tools": (Tool("f"), Tool("g", custom=True))}, "tools[1]"),
    ],
)
def test_what_would_change_the_answer_is_refused(fields: Mapping[str, Any], param: str) -> None:
    """Skipping these would give an answer that was not asked for."""
    with pytest.raises(UnsupportedParameter) as caught:
        build(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "effort", "want"),
    [
        (THINKER, None, {}),
        (THINKER, "none", {"reasoning_effort": "none"}),
        (THINKER, "low", {"reasoning_effort": "high"}),
        (THINKER, "max", {"reasoning_effort": "high"}),
        (replace(THINKER, thinking_level_map={"off": None}), "none", {"reasoning_effort": "high"}),
        (replace(THINKER, thinking_level_map={"xhigh": "deep"}), "none", {}),
        (replace(THINKER, thinking_level_map={}), "low", {"prompt_mode": "reasoning"}),
        (replace(THINKER, thinking_level_map={}), "none", {}),
        (replace(THINKER, thinking_level_map={}), None, {}),
        (PLAIN, "high", {}),
    ],
)
def test_effort(model: Model, effort: str | None, want: Mapping[str, Any]) -> None:
    """A model with a level map takes an effort, an older thinker a prompt mode; absent sends nothing."""
    body = sent(model, reasoning_effort=effort)
    assert {name: body[name] for name in body if name in ("reasoning_effort", "prompt_mode")} == want


def test_tools_go_through_untouched() -> None:
    """The schema is the client's, to the byte."""
    request = build(tools=(Tool("f", "d", SCHEMA, strict=True), Tool("g")))
    assert json.dumps(SCHEMA, separators=(",", ":")).encode() in request.body
    assert [tool["function"] for tool in json.loads(request.body)["tools"]] == [
        {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        {"name": "g", "parameters": {"type": "object", "properties": {}}},
    ]


@pytest.mark.parametrize(
    ("choice", "want", "names"),
    [
        (ToolChoice("auto"), "auto", ["f", "g"]),
        (ToolChoice("none"), "none", ["f", "g"]),
        (ToolChoice("required"), "required", ["f", "g"]),
        (ToolChoice("named", ("g",)), {"type": "function", "function": {"name": "g"}}, ["f", "g"]),
        (ToolChoice("required", ("g",)), "required", ["g"]),
    ],
)
def test_tool_choice(choice: ToolChoice, want: Any, names: list[str]) -> None:
    """``allowed_tools`` leaves only the allowed ones in the list."""
    body = sent(tools=(Tool("f"), Tool("g")), tool_choice=choice)
    assert body["tool_choice"] == want
    assert [tool["function"]["name"] for tool in body["tools"]] == names


def test_affinity_and_cache_key() -> None:
    """The conversation's id goes into both, unless nothing may be cached or the header is configured."""
    request = build(options=Options(session_id="s"))
    assert request.headers["x-affinity"] == "s"
    assert json.loads(request.body)["prompt_cache_key"] == "s"
    silent = build(options=Options(session_id="s", cache="none"))
    assert "x-affinity" not in silent.headers
    assert "prompt_cache_key" not in json.loads(silent.body)
    named = build(replace(PLAIN, headers={"X-Affinity": "mine"}), Options(session_id="s"))
    assert named.headers["X-Affinity"] == "mine"
    assert len(build(options=Options(session_id="Köln\n")).headers["x-affinity"] or "") == 32


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h", "https://h/v1/chat/completions"),
        ("https://h/", "https://h/v1/chat/completions"),
        ("https://h/mistral", "https://h/mistral/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/a?key=1", "https://h/a/v1/chat/completions?key=1"),
    ],
)
def test_addresses(base: str, url: str) -> None:
    """The version is added once."""
    assert build(replace(PLAIN, base_url=base)).url == url


def test_sampling_parameters_of_the_model() -> None:
    """They are defaults; what Mistral does not know stays away."""
    model = replace(
        THINKER,
        sampling_params={"temperature": 0.7, "top_p": 0.8, "top_k": 9},
        sampling_params_by_level={"high": {"top_p": 0.95}},
    )
    body = sent(model, temperature=0.1, reasoning_effort="high")
    assert (body["temperature"], body["top_p"]) == (0.1, 0.95)
