from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    Image,
    ResponseFormat,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.wire.openai_responses.request import build_request
from piproxy.wire.room import Options, WireRequest

CHAT = Chat(model="m", messages=(UserMessage("Hi"),))
PLAIN = Model(provider="openai", id="gpt-4.1", api="openai-responses", base_url="https://api.openai.com/v1")
THINKER = replace(PLAIN, id="gpt-5.6", reasoning=True, thinking_level_map={"minimal": None, "xhigh": "xhigh"})
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"const": 1}}, "$defs": {"x": True}}
BODY = TypeAdapter(ResponseCreateParamsStreaming)


def build(model: Model = PLAIN, options: Options | None = None, **fields: Any) -> WireRequest:
    return build_request(replace(CHAT, **fields), model, options or Options())


def sent(model: Model = PLAIN, options: Options | None = None, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(build(model, options, **fields).body)
    BODY.validate_python(body)
    return body


def test_the_smallest_request() -> None:
    """What the client did not ask for is not sent; nothing is ever stored unasked."""
    request = build()
    assert json.loads(request.body) == {
        "model": "gpt-4.1",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "stream": True,
        "store": False,
    }
    assert request.url == "https://api.openai.com/v1/responses"
    assert request.auth == "bearer"
    assert request.headers == {"accept": "application/json", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"max_tokens": 500}, {"max_output_tokens": 500}),
        ({"max_tokens": 3}, {"max_output_tokens": 16}),
        ({"max_tokens": 10**9}, {"max_output_tokens": 16_384}),
        ({"store": True}, {"store": True}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"user": "u"}, {"user": "u"}),
        ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"prompt_cache_key": "k" * 70}, {"prompt_cache_key": "k" * 70}),
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"prompt_cache_options": {"mode": "explicit"}}, {"prompt_cache_options": {"mode": "explicit"}}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"logprobs": True, "top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
        ({"response_format": ResponseFormat("text")}, {}),
        ({"response_format": ResponseFormat("json_object")}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": ResponseFormat("json_schema", "n", "d", SCHEMA, strict=True)},
            {
                "text": {
                    "format": {"type": "json_schema", "name": "n", "description": "d", "schema": SCHEMA, "strict": True}
                }
            },
        ),
        (
            {"response_format": ResponseFormat("json_schema", "n", None, SCHEMA), "verbosity": "high"},
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "high"}},
        ),
    ],
)
def test_fields_move_to_where_the_api_wants_them(fields: Mapping[str, Any], want: Mapping[str, Any]) -> None:
    """Every field that has a place, and its place."""
    assert sent(**fields) == {**sent(), **want}


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 1},
        {"frequency_penalty": 1.0},
        {"presence_penalty": 1.0},
        {"prediction": {"type": "content", "content": "x"}},
        {"top_k": 3},
        {"min_p": 0.1},
        {"cache_control": {"type": "ephemeral"}},
        {"reasoning_effort": "high"},
    ],
)
def test_fields_without_a_place_are_skipped_and_named(fields: Mapping[str, Any]) -> None:
    """The request goes on without them, and says so."""
    request = build(**fields, given=tuple(fields))
    assert request.body == build().body
    assert request.dropped == tuple(fields)


def test_what_has_a_place_is_not_named() -> None:
    """``none`` asks for nothing on a model that does not think; the order is the client's."""
    given = ("temperature", "reasoning_effort", "seed", "stop", "store", "min_p")
    assert build(given=given, reasoning_effort="none", seed=1).dropped == ("seed", "min_p")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"messages": (UserMessage("a"), UserMessage((Text("b"), Audio("AA", "wav"))))}, "messages[1].content[1]"),
    ],
)
def test_what_would_change_the_answer_is_refused(fields: Mapping[str, Any], param: str) -> None:
    """Skipping these would give an answer that was not asked for."""
    with pytest.raises(UnsupportedParameter) as caught:
        build(**fields)
    assert caught.value.param == param
    assert caught.value.status == 422


ENCRYPTED = {"include": ["reasoning.encrypted_content"]}


@pytest.mark.parametrize(
    ("effort", "want"),
    [
        (None, ENCRYPTED),
        ("none", {"reasoning": {"effort": "none"}}),
        ("minimal", ENCRYPTED | {"reasoning": {"effort": "low", "summary": "auto"}}),
        ("medium", ENCRYPTED | {"reasoning": {"effort": "medium", "summary": "auto"}}),
        ("max", ENCRYPTED | {"reasoning": {"effort": "xhigh", "summary": "auto"}}),
    ],
)
def test_effort(effort: str | None, want: Mapping[str, Any]) -> None:
    """Nothing about effort unless the client says it; then it is clamped, mapped and summarised."""
    body = sent(THINKER, reasoning_effort=effort)
    assert {name: body[name] for name in body if name in ("reasoning", "include")} == want


def test_effort_off_where_the_model_cannot_stop_thinking() -> None:
    """``none`` becomes the least level that the model has."""
    model = replace(THINKER, thinking_level_map={"off": None, "minimal": None})
    assert sent(model, reasoning_effort="none")["reasoning"] == {"effort": "low", "summary": "auto"}


def test_effort_of_special_hosts() -> None:
    """Copilot takes no effort for off, xAI always gives its reasoning encrypted, and a flag may forbid effort."""
    copilot = replace(THINKER, provider="github-copilot")
    assert "reasoning" not in sent(copilot, reasoning_effort="none")
    assert sent(replace(THINKER, provider="xai"), reasoning_effort="none")["include"] == ENCRYPTED["include"]
    request = build(
        replace(THINKER, compat={"supportsReasoningEffort": False}),
        reasoning_effort="high",
        given=("reasoning_effort",),
    )
    assert "reasoning" not in json.loads(request.body)
    assert request.dropped == ("reasoning_effort",)


def test_a_chatgpt_login_is_sent_less() -> None:
    """Its token refuses limits, temperature and retention; what the client asked of them is named."""
    given = ("max_tokens", "temperature", "top_p", "prompt_cache_retention", "prompt_cache_options", "verbosity")
    options = Options(identity="chatgpt", cache="long", session_id="s")
    request = build(
        THINKER,
        options,
        max_tokens=9,
        temperature=1.0,
        top_p=1.0,
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit"},
        verbosity="low",
        given=given,
    )
    body = json.loads(request.body)
    assert set(body) == {"model", "input", "stream", "store", "include", "text", "prompt_cache_key"}
    assert request.dropped == given[:-1]


def test_a_host_without_an_output_limit() -> None:
    """The flag ``supportsMaxOutputTokens`` keeps the limit away."""
    request = build(replace(PLAIN, compat={"supportsMaxOutputTokens": False}), max_tokens=99, given=("max_tokens",))
    assert request.body == build().body
    assert request.dropped == ("max_tokens",)


@pytest.mark.parametrize(
    ("compat", "cache", "want"),
    [
        ({}, "short", {"prompt_cache_key": "s"}),
        ({}, "none", {}),
        ({}, "long", {"prompt_cache_key": "s", "prompt_cache_retention": "24h"}),
        ({"supportsLongCacheRetention": False}, "long", {"prompt_cache_key": "s"}),
        ({"promptCacheKeyMode": "disabled"}, "short", {}),
        ({"supportsExplicitPromptCacheMode": True}, "short", {"prompt_cache_key": "s"}),
        ({"supportsExplicitPromptCacheMode": True}, "none", {"prompt_cache_options": {"mode": "explicit"}}),
        (
            {"supportsExplicitPromptCacheMode": True},
            "long",
            {"prompt_cache_key": "s", "prompt_cache_options": {"ttl": "30m"}},
        ),
    ],
)
def test_prompt_cache(compat: Mapping[str, Any], cache: Any, want: Mapping[str, Any]) -> None:
    """Key and retention follow the setting and what the model can do."""
    body = sent(replace(PLAIN, compat=compat), Options(session_id="s", cache=cache))
    assert {name: body[name] for name in body if name.startswith("prompt_cache")} == want


def test_the_clients_own_cache_settings_win() -> None:
    """What the client says about retention is not overridden by the setting."""
    body = sent(
        options=Options(session_id="s", cache="long"), prompt_cache_key="mine", prompt_cache_retention="in_memory"
    )
    assert (body["prompt_cache_key"], body["prompt_cache_retention"]) == ("mine", "in_memory")


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, {"session-id": "s", "x-client-request-id": "s"}),
        ({"compat": {"sessionAffinityFormat": "openai-nosession"}}, {"x-client-request-id": "s"}),
        ({"compat": {"sessionAffinityFormat": "openrouter"}}, {"x-session-id": "s"}),
        ({"base_url": "https://openrouter.ai/api/v1"}, {"x-session-id": "s"}),
        (
            {"provider": "opencode", "compat": {"sessionAffinityFormat": "openai-nosession"}},
            {"x-client-request-id": "s", "x-opencode-session": "s"},
        ),
        ({"headers": {"Session-Id": "mine"}}, {"session-id": "s", "x-client-request-id": "s"}),
    ],
)
def test_affinity_headers(changes: dict[str, Any], want: Mapping[str, str]) -> None:
    """The conversation's id goes where the host looks for it; without a cache only opencode's routing needs it."""
    plain = {"accept": "application/json", "content-type": "application/json"}
    model = replace(PLAIN, **changes)
    assert build(model, Options(session_id="s")).headers == {**plain, **want}
    uncached = build(replace(model, headers={}), Options(session_id="s", cache="none")).headers
    assert uncached == plain | {name: value for name, value in want.items() if name == "x-opencode-session"}


def test_a_session_id_that_no_header_can_hold_is_hashed() -> None:
    """A client's cache key may be any text."""
    headers = build(options=Options(session_id="Köln\n")).headers
    value = headers["session-id"]
    assert value is not None
    assert len(value) == 32
    assert value.isalnum()


@pytest.mark.parametrize(
    ("messages", "initiator"),
    [
        ((UserMessage("a"),), "user"),
        ((UserMessage("a"), AssistantMessage(None, (ToolCall("c", "f", "{}"),)), ToolMessage("r", "c")), "agent"),
    ],
)
def test_copilot_learns_who_asks(messages: Any, initiator: str) -> None:
    """A turn of the user is billed, one of the agent is not; images are announced."""
    model = replace(PLAIN, provider="github-copilot", input=("text", "image"), headers={"Editor-Version": "vscode/1"})
    headers = build(model, messages=messages).headers
    assert headers["X-Initiator"] == initiator
    assert headers["Openai-Intent"] == "conversation-edits"
    assert headers["Editor-Version"] == "vscode/1"
    assert "Copilot-Vision-Request" not in headers
    seen = (*messages, UserMessage((Image("data:image/png;base64,AA"),)))
    assert build(model, messages=seen).headers["Copilot-Vision-Request"] == "true"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h/v1", "https://h/v1/responses"),
        ("https://h/v1/", "https://h/v1/responses"),
        ("https://h", "https://h/responses"),
        ("https://h/v1?key=1", "https://h/v1/responses?key=1"),
        ("https://g/v1/{CLOUDFLARE_ACCOUNT_ID}/{OTHER_ID}/openai", "https://g/v1/acc/{OTHER_ID}/openai/responses"),
    ],
)
def test_addresses(base: str, url: str) -> None:
    """One slash is absorbed, a query stays at the end, known placeholders are filled in."""
    assert build(replace(PLAIN, base_url=base), Options(env={"CLOUDFLARE_ACCOUNT_ID": "acc"})).url == url


def test_sampling_parameters_of_the_model() -> None:
    """The model's own settings are defaults; the client's words win, and what has no place stays away."""
    model = replace(
        THINKER,
        sampling_params={"temperature": 0.6, "top_p": 0.8, "top_k": 20},
        sampling_params_by_level={"high": {"top_p": 0.95}},
    )
    body = sent(model, temperature=0.1, reasoning_effort="high")
    assert (body["temperature"], body["top_p"]) == (0.1, 0.95)
    assert "top_k" not in body


def test_unknown_fields_are_forwarded_if_they_are_kept() -> None:
    """``strictness: pass`` leaves them in ``extra``; they replace nothing of ours."""
    body = sent(extra={"truncation": "auto", "model": "other"})
    assert (body["truncation"], body["model"]) == ("auto", "gpt-4.1")


def test_half_surrogates_are_removed() -> None:
    """No provider takes half of a pair."""
    assert sent(messages=(UserMessage("a\ud800b"),))["input"][0]["content"][0]["text"] == "ab"


@pytest.mark.parametrize(
    ("model", "strict", "want"),
    [
        (PLAIN, None, {}),
        (PLAIN, True, {"strict": True}),
        (replace(PLAIN, compat={"supportsStrictMode": True}), None, {"strict": False}),
        (replace(PLAIN, compat={"supportsStrictMode": True}), True, {"strict": True}),
    ],
)
def test_function_tools_are_flat(model: Model, strict: bool | None, want: Mapping[str, Any]) -> None:
    """The schema goes through untouched; a host that knows ``strict`` is told that it is off."""
    (tool,) = json.loads(build(model, tools=(Tool("f", "d", SCHEMA, strict),)).body)["tools"]
    assert tool == {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, **want}
    assert json.dumps(SCHEMA, separators=(",", ":")).encode() in build(tools=(Tool("f", "d", SCHEMA),)).body


def test_tools_without_schema_and_custom_tools() -> None:
    """A tool without parameters takes none; a grammar loses its wrapper."""
    grammar = {"syntax": "lark", "definition": "start: 'a'"}
    tools = (
        Tool("f"),
        Tool("g", custom=True),
        Tool("h", "d", custom=True, format={"type": "grammar", "grammar": grammar}),
        Tool("i", custom=True, format={"type": "text"}),
    )
    assert json.loads(build(tools=tools).body)["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}},
        {"type": "custom", "name": "g"},
        {"type": "custom", "name": "h", "description": "d", "format": {"type": "grammar", **grammar}},
        {"type": "custom", "name": "i", "format": {"type": "text"}},
    ]


@pytest.mark.parametrize(
    ("choice", "want"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", ("f",)), {"type": "function", "name": "f"}),
        (ToolChoice("named", ("g",), custom=True), {"type": "custom", "name": "g"}),
        (
            ToolChoice("required", ("f", "g")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}],
            },
        ),
    ],
)
def test_tool_choice(choice: ToolChoice, want: Any) -> None:
    """Names stand without the wrapper of chat completions."""
    assert sent(tools=(Tool("f"), Tool("g", custom=True)), tool_choice=choice)["tool_choice"] == want


def test_the_parser_learns_the_stops() -> None:
    """``stop`` is not sent but honoured by the parser, so it is not named as skipped."""
    request = build(stop=("END",), given=("stop",))
    assert request.body == build().body
    assert request.dropped == ()
    parser_notes = request.notes
    assert getattr(parser_notes, "stops", None) == ("END",)


def test_system_messages_stay_where_they_are() -> None:
    """Thinking models know the developer role; a flag may say otherwise."""
    messages = (SystemMessage("a"), UserMessage("b"), SystemMessage((Text("c"), Text("d")), "developer"))
    for model, role in (
        (PLAIN, "system"),
        (THINKER, "developer"),
        (replace(THINKER, compat={"supportsDeveloperRole": False}), "system"),
    ):
        items = sent(model, messages=messages)["input"]
        assert items[0] == {"role": role, "content": "a"}
        assert items[2]["role"] == role
        assert [part["text"] for part in items[2]["content"]] == ["c", "d"]
