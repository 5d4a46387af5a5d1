"""Request bodies: what is accepted, and what of it arrives in the Chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy import chat
from piproxy.chat import AssistantMessage, Chat, SystemMessage, Text, ToolChoice, ToolMessage, UserMessage
from piproxy.errors import ClientError, InvalidRequest, UnsupportedParameter
from piproxy.openai.decode import Decoded, Strictness, decode

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def _body(**fields: Any) -> bytes:
    return json.dumps({"model": "demo/m", "messages": HELLO, **fields}).encode()


def _chat(**fields: Any) -> Chat:
    return decode(_body(**fields)).chat


def _refusal(body: bytes, strictness: Strictness = "strict") -> ClientError:
    with pytest.raises(ClientError) as caught:
        decode(body, strictness=strictness)
    return caught.value


def test_the_smallest_request() -> None:
    """A model and one message are enough; everything else is unsaid."""
    assert decode(_body()) == Decoded(Chat(model="demo/m", messages=(UserMessage("Hello"),)))


def test_every_field_arrives() -> None:
    """Each field lands in its place, with the client's own numbers."""
    asked = _chat(
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        max_completion_tokens=100,
        max_tokens=50,
        temperature=1,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        frequency_penalty=-0.5,
        presence_penalty=0.5,
        seed=2**70,
        stop=["\n\n", " end ", "c", "d", "e"],
        logit_bias={"50256": -100, "1": 0.5},
        logprobs=True,
        top_logprobs=3,
        reasoning_effort="xhigh",
        verbosity="low",
        user="u",
        safety_identifier="s",
        metadata={"a": "b"},
        store=True,
        service_tier="flex",
        prediction={"type": "content", "content": "x"},
        prompt_cache_key="k",
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit"},
        cache_control={"type": "ephemeral"},
        web_search_options={"search_context_size": "low"},
    )
    assert asked == Chat(
        model="demo/m",
        messages=(UserMessage("Hello"),),
        stream=True,
        include_usage=True,
        tools=(chat.Tool("weather", parameters={"type": "object"}),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        response_format=chat.ResponseFormat("json_object"),
        max_tokens=100,
        temperature=1,
        top_p=0.5,
        top_k=40,
        min_p=0.05,
        frequency_penalty=-0.5,
        presence_penalty=0.5,
        seed=2**70,
        stop=("\n\n", " end ", "c", "d", "e"),
        logit_bias={"50256": -100, "1": 0.5},
        logprobs=True,
        top_logprobs=3,
        reasoning_effort="xhigh",
        verbosity="low",
        user="u",
        safety_identifier="s",
        metadata={"a": "b"},
        store=True,
        service_tier="flex",
        prediction={"type": "content", "content": "x"},
        prompt_cache_key="k",
        prompt_cache_retention="24h",
        prompt_cache_options={"mode": "explicit"},
        cache_control={"type": "ephemeral"},
        web_search_options={"search_context_size": "low"},
        given=asked.given,
    )
    assert isinstance(asked.temperature, int)


def test_given_names_what_changes_something() -> None:
    """``given`` has the client's names of set fields, without neutral values and without what went unused."""
    asked = _chat(
        temperature=0, seed=None, n=1, max_tokens=5, max_completion_tokens=6, stream=True, store=False, stop="x",
        frequency_penalty=0, tools=[], tool_choice="auto", parallel_tool_calls=False, reasoning={"effort": "low"},
    )  # fmt: skip
    assert asked.given == ("temperature", "max_completion_tokens", "stop", "reasoning")


OPTIONAL = (
    "stream stream_options tools tool_choice parallel_tool_calls response_format max_completion_tokens max_tokens "
    "temperature top_p top_k min_p frequency_penalty presence_penalty seed stop logit_bias logprobs top_logprobs n "
    "reasoning_effort reasoning verbosity user safety_identifier metadata store service_tier prediction "
    "prompt_cache_key prompt_cache_retention prompt_cache_options cache_control web_search_options modalities audio "
    "functions function_call moderation usage"
).split()


def test_null_means_absent() -> None:
    """Every optional field, and even an unknown one, may be null; SDKs send that."""
    assert _chat(**dict.fromkeys([*OPTIONAL, "never_heard_of"])) == _chat()


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"logprobs": False},
        {"logprobs": False, "top_logprobs": 0},
        {"logit_bias": {}},
        {"modalities": ["text"]},
        {"functions": []},
        {"function_call": "none"},
        {"function_call": "auto"},
        {"tools": [], "tool_choice": "auto"},
        {"tools": [], "tool_choice": "none", "parallel_tool_calls": True},
        {"tool_choice": "none"},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "text", "json_schema": None}},
        {"stop": []},
        {"stop": ""},
        {"stop": [""]},
        {"metadata": {}},
        {"top_k": 0},
        {"top_k": -1},
        {"min_p": 0},
        {"min_p": 0.0},
        {"reasoning": {}},
        {"reasoning": {"effort": None, "summary": "auto"}},
        {"usage": {"include": False}},
        {"stream": False},
        {"stream_options": {}},
        {"stream_options": {"include_usage": None, "include_obfuscation": True}},
    ],
)
def test_neutral_values_change_nothing(fields: dict[str, Any]) -> None:
    """A value that asks for what happens anyway is accepted and leaves no trace that could be refused later."""
    assert decode(_body(**fields)) == decode(_body())


def test_neutral_values_that_a_provider_may_know() -> None:
    """They are passed on where there is a place for them, but never named as dropped."""
    asked = _chat(store=False, service_tier="auto", frequency_penalty=0, presence_penalty=0.0)
    assert (asked.store, asked.service_tier, asked.frequency_penalty, asked.presence_penalty) == (False, "auto", 0, 0)
    assert asked.given == ()


def test_max_tokens_has_an_older_name() -> None:
    """``max_tokens`` counts alone; ``max_completion_tokens`` wins over it."""
    assert _chat(max_tokens=7).max_tokens == 7
    assert _chat(max_tokens=7).given == ("max_tokens",)
    assert _chat(max_tokens=7, max_completion_tokens=9).max_tokens == 9


def test_openrouters_usage_wish() -> None:
    """``usage: {include: true}`` asks for the usage chunk."""
    assert _chat(usage={"include": True}).include_usage


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        *(({"reasoning_effort": name}, name) for name in ("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        ({"reasoning": {"effort": "max", "summary": "auto"}}, "max"),
        ({"reasoning": {"effort": None}}, None),
        ({"reasoning": {"enabled": True}}, "medium"),
        ({"reasoning": {"enabled": False, "effort": "high"}}, "none"),
        ({"reasoning": {"max_tokens": 0}}, "none"),
        ({"reasoning": {"max_tokens": 1}}, "minimal"),
        ({"reasoning": {"max_tokens": 2048}}, "low"),
        ({"reasoning": {"max_tokens": 8000}}, "medium"),
        ({"reasoning": {"max_tokens": 99_999}}, "high"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "low"),
    ],
)
def test_the_reasoning_object_is_an_effort(fields: dict[str, Any], effort: str | None) -> None:
    """``reasoning_effort`` wins; an object says it by name, by tokens, or by a switch."""
    assert _chat(**fields).reasoning_effort == effort


def test_hiding_the_reasoning_is_not_possible_and_said_so() -> None:
    """``reasoning.exclude`` is named in the header, since thinking is shown all the same."""
    assert decode(_body(reasoning={"effort": "low", "exclude": True})).ignored == ("reasoning.exclude",)


def test_nothing_is_trimmed() -> None:
    """Texts, names, ids, arguments, stops and schemas keep their white space."""
    arguments = '  {" key ": 12345678901234567890, "f": 1.0, "cut": [1,'
    asked = _chat(
        messages=[
            {"role": "system", "content": "  be brief\n"},
            {"role": "user", "content": [{"type": "text", "text": "\t a \n"}], "name": " ann "},
            {
                "role": "assistant",
                "content": "\n",
                "tool_calls": [{"id": " c1 ", "type": "function", "function": {"name": "f", "arguments": arguments}}],
            },
            {"role": "tool", "tool_call_id": " c1 ", "content": ""},
        ],
        stop="\n\n",
        tools=[{"type": "function", "function": {"name": "f", "description": " d ", "parameters": {" x ": " y "}}}],
    )
    assert asked.messages == (
        SystemMessage("  be brief\n"),
        UserMessage((Text("\t a \n"),), name=" ann "),
        AssistantMessage("\n", (chat.ToolCall(" c1 ", "f", arguments),)),
        ToolMessage("", " c1 "),
    )
    assert asked.stop == ("\n\n",)
    assert asked.tools == (chat.Tool("f", " d ", {" x ": " y "}),)


def test_half_a_surrogate_pair_is_removed() -> None:
    """No provider takes one; whole pairs and all other text stay."""
    body = b'{"model":"m","messages":[{"role":"user","content":"a\\ud83d b\\uDE00 \\ud83d\\ude00 \\\\ud83d"}]}'
    assert decode(body).chat.messages == (UserMessage("a b 😀 \\ud83d"),)


def test_a_byte_order_mark_is_no_fault() -> None:
    """Some Windows tools put one before their JSON."""
    assert decode(b"\xef\xbb\xbf" + _body()).chat.model == "demo/m"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "is empty"),
        (b"{", "line 1 column 2"),
        (b'{"model": NaN}', "NaN is not JSON"),
        (b'{"model": -Infinity}', "-Infinity is not JSON"),
        (b'{"temperature": 1e999}', "too large"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "an integer has too many digits"),
        (b'{"model": "\xff"}', "UTF-8"),
        (b'{"model": "\xed\xa0\x80"}', "UTF-8"),
        ('{"model": "m"}'.encode("utf-16"), "UTF-8"),
        (b"[]", "a JSON object, but it is an array"),
        (b"null", "a JSON object, but it is null"),
        (b'{"a":' + b"[" * 100_000, "levels deep"),
        (b'{"a":' + b"[" * 250 + b"]" * 250 + b"}", "levels deep"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_json_object_is_refused(body: bytes, text: str) -> None:
    """400 with the reason, and never a crash, however deep or large."""
    error = _refusal(body)
    assert isinstance(error, InvalidRequest)
    assert error.status == 400
    assert text in error.message
    assert error.code in {"invalid_json", "invalid_type"}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "empty_string"),
        ({"model": 5}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [*HELLO, {"role": "bot"}]}, "messages[1].role", "invalid_value"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": {}}]}]},
            "messages[0].content[1].text",
            "invalid_type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].image_url.url",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}]},
            "messages[0].content[0].file",
            "invalid_value",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ""}}]}]},
            "messages[0].tool_calls[0].id",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]},
            "messages[0].tool_calls[0].function",
            "missing_required_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}]},
            "messages[0].tool_calls[0].custom",
            "missing_required_parameter",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
            "invalid_type",
        ),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream_options": True}, "stream_options", "invalid_type"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "above_max_value"),
        ({"temperature": 10**400}, "temperature", "above_max_value"),
        ({"top_p": -0.1}, "top_p", "below_min_value"),
        ({"frequency_penalty": 3}, "frequency_penalty", "above_max_value"),
        ({"presence_penalty": -3}, "presence_penalty", "below_min_value"),
        ({"max_tokens": 0}, "max_tokens", "below_min_value"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_type"),
        ({"seed": "a"}, "seed", "invalid_type"),
        ({"stop": 5}, "stop", "invalid_type"),
        ({"stop": ["a", 5]}, "stop[1]", "invalid_type"),
        ({"logit_bias": []}, "logit_bias", "invalid_type"),
        ({"logit_bias": {"5": "x"}}, "logit_bias.5", "invalid_type"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5", "above_max_value"),
        ({"logprobs": 1}, "logprobs", "invalid_type"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "above_max_value"),
        ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
        ({"n": 0}, "n", "below_min_value"),
        ({"n": "1"}, "n", "invalid_type"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort", "invalid_value"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort", "invalid_value"),
        ({"verbosity": "chatty"}, "verbosity", "invalid_value"),
        ({"user": 5}, "user", "invalid_type"),
        ({"metadata": "x"}, "metadata", "invalid_type"),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
            "missing_required_parameter",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": []}}},
            "response_format.json_schema.schema",
            "invalid_type",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"properties": 5}}}},
            "response_format.json_schema.schema.properties",
            "invalid_function_parameters",
        ),
        ({"prediction": "x"}, "prediction", "invalid_type"),
        ({"cache_control": "yes"}, "cache_control", "invalid_type"),
    ],
)
def test_faults_are_named_with_their_path(fields: dict[str, Any], param: str, code: str) -> None:
    """Type and range faults are 400; ``param`` is the bracketed path, and the message repeats it."""
    error = _refusal(_body(**fields))
    assert (error.status, error.type, error.param, error.code) == (400, "invalid_request_error", param, code)
    assert f"'{param}'" in error.message or param.partition(".")[0] in error.message
    assert error.message.endswith(".")


@pytest.mark.parametrize("strictness", ["strict", "warn", "pass"])
@pytest.mark.parametrize(
    ("fields", "param", "hint"),
    [
        ({"n": 2}, "n", "one request per choice"),
        ({"modalities": ["text", "audio"]}, "modalities", '["text"]'),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio", "Leave it out"),
        ({"functions": [{"name": "f"}]}, "functions", "'tools'"),
        ({"function_call": {"name": "f"}}, "function_call", "'tool_choice'"),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": ""}}]},
            "messages[0].function_call",
            "'tool_calls'",
        ),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio", "as text"),
    ],
)
def test_what_could_not_be_answered_is_refused(
    fields: dict[str, Any], param: str, hint: str, strictness: Strictness
) -> None:
    """422 with one sentence on what to do, at any strictness."""
    error = _refusal(_body(**fields), strictness)
    assert isinstance(error, UnsupportedParameter)
    assert (error.status, error.type, error.code) == (422, "invalid_request_error", "unsupported_parameter")
    assert error.param == param
    assert hint in error.message


def test_unknown_fields_are_refused_by_default() -> None:
    """422, ``param`` is the first of them, and the message names all."""
    error = _refusal(_body(num_ctx=4096, foo=None, bar={}))
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "num_ctx"
    assert "'num_ctx', 'bar'" in error.message
    assert "foo" not in error.message


def test_unknown_fields_can_be_left_out() -> None:
    """``warn``: the request goes on without them, and they are named."""
    assert decode(_body(num_ctx=4096, bar={}, seed=1), strictness="warn") == Decoded(_chat(seed=1), ("num_ctx", "bar"))


def test_unknown_fields_can_be_passed_on() -> None:
    """``pass``: they are kept as they are, for upstreams that speak the same dialect."""
    asked = decode(_body(num_ctx=4096, bar={"a": [1.0]}, none=None), strictness="pass")
    assert asked.ignored == ()
    assert asked.chat.extra == {"num_ctx": 4096, "bar": {"a": [1.0]}}
    assert asked.chat.given == ()


@pytest.mark.parametrize("strictness", ["warn", "pass"])
@pytest.mark.parametrize("name", ["a\r\nset-cookie: x", "a,b", "é", "", "x" * 65, " a"])
def test_a_name_that_no_header_could_carry_is_never_ignored(name: str, strictness: Strictness) -> None:
    """Names of dropped fields go into a response header, so odd ones, or too many, are refused at any strictness."""
    assert _refusal(_body(**{name: 1}), strictness).status == 422
    assert _refusal(_body(**{f"x{number}": 1 for number in range(51)}), strictness).status == 422


def test_moderation_is_a_field_that_only_openai_has() -> None:
    """Refused with a hint; softened by ``strictness`` like an unknown field."""
    error = _refusal(_body(moderation={"model": "omni"}))
    assert (error.status, error.param) == (422, "moderation")
    assert "moderation endpoint" in error.message
    assert decode(_body(moderation={"model": "omni"}), strictness="warn").ignored == ("moderation",)


def test_a_responses_body_on_the_chat_path() -> None:
    """A clear 400: some clients post ``input`` to the wrong endpoint (field.md, 50)."""
    error = _refusal(json.dumps({"model": "m", "input": "Hi", "instructions": "x", "reasoning": {}}).encode())
    assert (error.status, error.param) == (400, "input")
    assert "'messages'" in error.message


def test_a_message_does_not_show_what_was_sent() -> None:
    """Error messages name types and paths, never values that may be private."""
    error = _refusal(_body(messages=[{"role": "user", "content": {"secret": "hunter2"}}]))
    assert "hunter2" not in error.message
    assert "secret" not in error.message


def test_a_long_name_is_cut() -> None:
    """A client's own names cannot blow up the answer."""
    error = _refusal(_body(**{"x" * 10_000: 1}))
    assert len(error.message) < 500
    assert error.param == "x" * 64
    deep: dict[str, Any] = {"type": 5}
    for _ in range(60):
        deep = {"properties": {"y" * 500: deep}}
    error = _refusal(_body(tools=[{"type": "function", "function": {"name": "f", "parameters": deep}}]))
    assert error.param is not None
    assert len(error.param) < 600
