"""Requests to Gemini, checked against google-genai's own types."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from google.genai import types

from piproxy.chat import AssistantMessage, Chat, ResponseFormat, SystemMessage, Tool, ToolChoice, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json, parse
from piproxy.model import Model
from piproxy.wire.google_generative_ai.request import build_request
from piproxy.wire.room import Options

SCHEMA: Final = {
    "type": "object",
    "properties": {"kind": {"const": "a"}, "n": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {}},
}
FORM: Final = ResponseFormat("json_schema", "answer", None, SCHEMA)


def model(id: str = "gemini-2.5-flash", *, reasoning: bool = True, provider: str = "google") -> Model:
    return Model(
        provider=provider,
        id=id,
        api="google-generative-ai",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        reasoning=reasoning,
        max_tokens=65536,
        headers={"X-Own": "1"},
    )


def chat(**fields: Json) -> Chat:
    return Chat(model="m", messages=(UserMessage("Hi"),), **fields)


def body(given: Chat, to: Model | None = None) -> Json:
    """The body, whose members Google's own types know."""
    parsed = parse(build_request(given, to or model(), Options()).body)
    types.GenerationConfig.model_validate(parsed.get("generationConfig", {}))
    types.GenerateContentConfig.model_validate(
        {key: value for key, value in parsed.items() if key not in ("contents", "generationConfig")}
    )
    return parsed


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("odd?id#", "models/odd%3Fid%23"),
    ],
)
def test_url(id: str, path: str) -> None:
    """The id is a part of the path, and the answer is asked for as server-sent events."""
    request = build_request(chat(), model(id), Options())
    assert request.url == f"https://generativelanguage.googleapis.com/v1beta/{path}:streamGenerateContent?alt=sse"


def test_headers_and_login() -> None:
    """The key has a header of its own, never the query, and the catalog's headers are sent."""
    request = build_request(chat(), model(), Options(session_id="s"))
    assert request.auth == "x-goog-api-key"
    assert request.headers == {"content-type": "application/json", "accept": "text/event-stream", "X-Own": "1"}
    assert request.dropped == ()


def test_opencode_is_told_the_session() -> None:
    """Its gateway routes by it."""
    request = build_request(chat(), model(provider="opencode"), Options(session_id="s"))
    assert request.headers["x-opencode-session"] == "s"


def test_a_bare_chat_sends_nothing_of_its_own() -> None:
    """No field means no field: the provider's defaults apply."""
    assert body(chat()) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def test_every_field_of_the_answer_has_its_place() -> None:
    """Sampling, limits and stops stand in ``generationConfig``, and nothing is dropped."""
    given = chat(
        max_tokens=2000,
        temperature=1.7,
        top_p=0.0,
        top_k=40,
        seed=0,
        stop=("\n\n", " x "),
        reasoning_effort="low",
        service_tier="flex",
        given=("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "reasoning_effort", "service_tier"),
    )
    assert body(given) == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {
            "temperature": 1.7,
            "topP": 0.0,
            "topK": 40,
            "maxOutputTokens": 2000,
            "stopSequences": ["\n\n", " x "],
            "seed": 0,
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 976},
        },
        "serviceTier": "flex",
    }
    assert build_request(given, model(), Options()).dropped == ()


def test_the_limit_is_what_the_model_can_give() -> None:
    """More would be a 400."""
    assert body(chat(max_tokens=10**9))["generationConfig"] == {"maxOutputTokens": 65536}


def test_fields_without_a_place_are_named() -> None:
    """They are left out, and the client hears of it."""
    given = chat(
        user="u",
        parallel_tool_calls=False,
        frequency_penalty=0.5,
        service_tier="scale",
        reasoning_effort="high",
        extra={"vendor": 1},
        given=("user", "parallel_tool_calls", "frequency_penalty", "service_tier", "reasoning_effort"),
    )
    request = build_request(given, model(reasoning=False), Options())
    assert set(request.dropped) == {*given.given, "vendor"}
    assert parse(request.body).keys() == {"contents"}


def test_no_thinking_is_what_a_model_without_it_does_anyway() -> None:
    """``none`` is honoured, not dropped."""
    request = build_request(
        chat(reasoning_effort="none", given=("reasoning_effort",)), model(reasoning=False), Options()
    )
    assert request.dropped == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("logit_bias", {"1": 1.0}), ("logprobs", True), ("top_logprobs", 2), ("web_search_options", {})],
)
def test_fields_that_change_the_answer_are_refused(name: str, value: Json) -> None:
    """An answer without them would not be what was asked for."""
    with pytest.raises(UnsupportedParameter) as error:
        build_request(chat(**{name: value}), model(), Options())
    assert (error.value.status, error.value.param) == (422, name)


def test_system_and_tools() -> None:
    """They stand beside the contents."""
    given = replace(
        chat(tools=(Tool("f", "F.", SCHEMA),), tool_choice=ToolChoice("required")),
        messages=(SystemMessage("Be brief."), UserMessage("Hi")),
    )
    assert body(given) == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"},
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "f",
                        "description": "F.",
                        "parametersJsonSchema": {
                            "type": "object",
                            "properties": {"kind": {"enum": ["a"]}, "n": {"$ref": "#/$defs/n"}},
                            "$defs": {"n": {}},
                        },
                    }
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }


def test_json_answers() -> None:
    """``json_object`` is a media type; ``json_schema`` adds the schema."""
    assert body(chat(response_format=ResponseFormat("text"))).keys() == {"contents"}
    json_object = body(chat(response_format=ResponseFormat("json_object")))["generationConfig"]
    assert json_object == {"responseMimeType": "application/json"}
    json_schema = body(chat(response_format=FORM))["generationConfig"]
    assert json_schema["responseMimeType"] == "application/json"
    assert json_schema["responseJsonSchema"]["properties"]["n"] == {"$ref": "#/$defs/n"}


def test_json_answers_beside_tools() -> None:
    """Before Gemini 3 the API refuses both together, so the form is asked for in words."""
    given = chat(response_format=FORM, tools=(Tool("f"),))
    old = body(given)
    assert "generationConfig" not in old
    assert '"$ref":"#/$defs/n"' in old["systemInstruction"]["parts"][0]["text"]
    new = body(given, model("gemini-3.5-flash"))
    assert new["generationConfig"]["responseMimeType"] == "application/json"
    assert "systemInstruction" not in new


def test_half_a_surrogate_pair_is_left_out() -> None:
    """No provider accepts one, and UTF-8 cannot hold it."""
    given = replace(chat(), messages=(UserMessage("a\ud83db"), AssistantMessage("c"), UserMessage("\U0001f600")))
    texts = [content["parts"][0]["text"] for content in body(given)["contents"]]
    assert texts == ["ab", "c", "\U0001f600"]
