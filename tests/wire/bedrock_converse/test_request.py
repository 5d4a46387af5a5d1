"""Requests to Bedrock: address, region and body."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from fakes.botocore_model import complaints

from piproxy.chat import (
    AssistantMessage,
    Chat,
    ResponseFormat,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json, parse
from piproxy.model import Model
from piproxy.wire.bedrock_converse.request import build_request
from piproxy.wire.room import Options

CATALOG: Final = "https://bedrock-runtime.us-east-1.amazonaws.com"
CLAUDE: Final = Model(
    provider="amazon-bedrock",
    id="anthropic.claude-sonnet-4-5-20250929-v1:0",
    api="bedrock-converse-stream",
    base_url=CATALOG,
    reasoning=True,
    context_window=200_000,
    max_tokens=64_000,
    headers={"x-own": "1"},
)
ARN: Final = "arn:aws:bedrock:eu-west-3:123456789012:application-inference-profile/abc"


def chat(**fields: Json) -> Chat:
    return Chat(model="m", messages=(UserMessage("Hi"),), **fields)


def body(given: Chat, model: Model = CLAUDE, options: Options | None = None) -> Json:
    parsed = parse(build_request(given, model, options or Options()).body)
    assert complaints(parsed) == ""
    return parsed


@pytest.mark.parametrize(
    ("id", "base_url", "env", "host", "region"),
    [
        ("m", CATALOG, {}, "https://bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"),
        ("m", "https://bedrock-runtime.eu-central-1.amazonaws.com", {}, None, "eu-central-1"),
        ("m", CATALOG, {"AWS_REGION": "eu-north-1"}, "https://bedrock-runtime.eu-north-1.amazonaws.com", "eu-north-1"),
        ("m", CATALOG, {"AWS_DEFAULT_REGION": "ap-south-1"}, None, "ap-south-1"),
        ("m", CATALOG, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "ap-south-1"}, None, "eu-west-1"),
        (ARN, CATALOG, {"AWS_REGION": "us-west-2"}, "https://bedrock-runtime.eu-west-3.amazonaws.com", "eu-west-3"),
        (
            "m",
            CATALOG,
            {"AWS_REGION": "cn-north-1"},
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
        ),
        (
            "m",
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
            {"AWS_REGION": "us-west-2"},
            "https://bedrock-runtime-fips.us-west-2.amazonaws.com",
            "us-west-2",
        ),
        ("m", "https://gateway.example/aws/", {"AWS_REGION": "us-west-2"}, "https://gateway.example/aws", "us-west-2"),
        ("m", "http://127.0.0.1:9/r", {}, "http://127.0.0.1:9/r", "us-east-1"),
        ("m", "https://vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com", {}, None, "us-east-1"),
        ("m", "", {}, "https://bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"),
    ],
)
def test_region_and_endpoint(id: str, base_url: str, env: dict[str, str], host: str | None, region: str) -> None:
    """An ARN's region comes first, then the environment's, then the base URL's; AWS's own host follows the region."""
    request = build_request(chat(), replace(CLAUDE, id=id, base_url=base_url), Options(env=env))
    assert request.region == region
    if host is not None:
        assert request.url.startswith(f"{host}/model/")
    elif "vpce" in base_url:
        assert request.url.startswith(base_url)
    else:
        assert request.url.startswith(f"https://bedrock-runtime.{region}.amazonaws.com/model/")


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("anthropic.claude-x-v1:0", "anthropic.claude-x-v1%3A0"),
        (
            ARN,
            "arn%3Aaws%3Abedrock%3Aeu-west-3%3A123456789012%3Aapplication-inference-profile%2Fabc",
        ),
    ],
)
def test_the_id_is_one_segment_of_the_path(id: str, path: str) -> None:
    """Colons and slashes are escaped."""
    url = build_request(chat(), replace(CLAUDE, id=id), Options()).url
    assert url.endswith(f".amazonaws.com/model/{path}/converse-stream")


def test_headers_and_login() -> None:
    """It is signed elsewhere; the catalog's headers are not sent, as in pi."""
    request = build_request(chat(), CLAUDE, Options())
    assert request.auth == "aws"
    assert request.headers == {"content-type": "application/json", "accept": "application/vnd.amazon.eventstream"}


def test_a_bare_chat() -> None:
    """Only the limit is ours, since Bedrock's own defaults are small; a cache point follows the last user turn."""
    assert body(chat()) == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}, {"cachePoint": {"type": "default"}}]}],
        "inferenceConfig": {"maxTokens": 64_000},
    }


def test_every_field_has_its_place() -> None:
    """Nothing is dropped."""
    given = chat(
        max_tokens=4000,
        temperature=0.0,
        top_k=5,
        stop=("\n\n",),
        service_tier="priority",
        prompt_cache_retention="24h",
        given=("max_tokens", "temperature", "top_k", "stop", "service_tier", "prompt_cache_retention"),
    )
    assert body(given) == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]}],
        "inferenceConfig": {"maxTokens": 4000, "temperature": 0.0, "stopSequences": ["\n\n"]},
        "additionalModelRequestFields": {"top_k": 5},
        "serviceTier": {"type": "priority"},
    }
    assert build_request(given, CLAUDE, Options()).dropped == ()


def test_thinking_takes_its_place() -> None:
    """The budget stays below the client's limit, and a temperature that thinking forbids is named."""
    given = chat(max_tokens=4000, temperature=0.2, reasoning_effort="high", given=("temperature", "reasoning_effort"))
    request = build_request(given, CLAUDE, Options())
    parsed = parse(request.body)
    assert parsed["inferenceConfig"] == {"maxTokens": 4000}
    assert parsed["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 2976
    assert request.dropped == ("temperature",)


def test_a_tool_loop_that_lost_its_thinking_goes_on_without() -> None:
    """A thinking budget would be refused; with the remembered thinking it is sent."""
    loop = (UserMessage("q"), AssistantMessage(None, (ToolCall("t", "f", "{}"),)), ToolMessage("r", "t"))
    given = replace(chat(tools=(Tool("f"),), reasoning_effort="high", given=("reasoning_effort",)), messages=loop)
    lost = build_request(given, CLAUDE, Options())
    assert "additionalModelRequestFields" not in parse(lost.body)
    assert lost.dropped == ("reasoning_effort",)
    signed = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
    kept = Options(replay={"t": {"model": CLAUDE.id, "blocks": [signed, {"toolUse": "t"}]}})
    assert "thinking" in body(given, options=kept)["additionalModelRequestFields"]
    adaptive = replace(CLAUDE, id="anthropic.claude-opus-4-6-v1")
    assert "thinking" in body(given, adaptive)["additionalModelRequestFields"]
    finished = replace(given, messages=(*loop, AssistantMessage("done"), UserMessage("next")))
    assert "thinking" in body(finished)["additionalModelRequestFields"]
    begun = replace(given, messages=(UserMessage("q"), AssistantMessage("The answer is")))
    assert "additionalModelRequestFields" not in body(begun)


def test_fields_without_a_place_are_named() -> None:
    """They are left out, and the client hears of it."""
    given = chat(
        seed=1,
        user="u",
        service_tier="scale",
        reasoning_effort="high",
        cache_control={"type": "ephemeral"},
        extra={"vendor": 1},
        given=("seed", "user", "service_tier", "reasoning_effort", "cache_control"),
    )
    request = build_request(given, replace(CLAUDE, id="meta.llama4-scout-17b-instruct-v1:0"), Options())
    assert set(request.dropped) == {*given.given, "vendor"}
    assert parse(request.body).keys() == {"messages", "inferenceConfig"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("logit_bias", {"1": 1.0}), ("logprobs", True), ("top_logprobs", 2), ("web_search_options", {})],
)
def test_fields_that_change_the_answer_are_refused(name: str, value: Json) -> None:
    """An answer without them would not be what was asked for."""
    with pytest.raises(UnsupportedParameter) as error:
        build_request(chat(**{name: value}), CLAUDE, Options())
    assert (error.value.status, error.value.param) == (422, name)


def test_system_tools_and_wishes() -> None:
    """What the API has no field for is asked for behind the system prompt."""
    given = replace(
        chat(tools=(Tool("f", "F."),), response_format=ResponseFormat("json_object")),
        messages=(SystemMessage("Be brief."), UserMessage("Hi")),
    )
    parsed = body(given, options=Options(cache="none"))
    assert [block["text"][:9] for block in parsed["system"]] == ["Be brief.", "Answer wi"]
    assert parsed["toolConfig"]["tools"][0]["toolSpec"]["name"] == "f"
    assert "cachePoint" not in str(parsed)


def test_long_retention_lasts_an_hour() -> None:
    """``PI_CACHE_RETENTION=long``."""
    parsed = body(chat(), options=Options(cache="long"))
    assert parsed["messages"][0]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}


def test_half_a_surrogate_pair_is_left_out() -> None:
    """No provider accepts one, and UTF-8 cannot hold it."""
    given = replace(chat(), messages=(UserMessage((Text("a\ud83db"),)),))
    assert body(given)["messages"][0]["content"][0] == {"text": "ab"}
