from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import OPENAI, body, chat, model

from piproxy.chat import Chat, ResponseFormat, SystemMessage, Tool, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options

ROUTER = model("openrouter", "https://openrouter.ai/api/v1")
BARE = {"model", "messages", "stream", "stream_options"}


def dropped(request: Chat, to: Model) -> tuple[str, ...]:
    return build_request(request, to, Options()).dropped


def test_least_request() -> None:
    """OpenAI gets the messages, an always streamed answer with usage, nothing stored, and nothing else."""
    assert body(chat(), model("openai", OPENAI)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "store": False,
    }


def test_bytes_are_utf8() -> None:
    """Text is not escaped."""
    assert "Köln 🙂\u2028".encode() in build_request(chat(UserMessage("Köln 🙂\u2028")), model(), Options()).body


GIVEN: dict[str, Json] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "frequency_penalty": 0.25,
    "presence_penalty": -1,
    "seed": 7,
    "user": "u",
    "service_tier": "flex",
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
}


@pytest.mark.parametrize("to", [model(), model("openai", OPENAI), ROUTER, model("fireworks"), model("huggingface")])
def test_usual_fields_are_forwarded(to: Model) -> None:
    """What every copy of the API knows goes through as it is."""
    sent = body(chat(stop=("\n\n", ""), **GIVEN), to)
    assert {name: sent[name] for name in GIVEN} == GIVEN
    assert sent["stop"] == ["\n\n", ""]
    assert dropped(chat(**GIVEN), to) == ()


ANSWERED: dict[str, Json] = {
    name: value for name, value in GIVEN.items() if name not in ("logit_bias", "logprobs", "top_logprobs")
}
"""Those without which the answer is still one to the question."""
OPENAI_ONLY: dict[str, Json] = {
    "metadata": {"a": "b"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "verbosity": "low",
}


@pytest.mark.parametrize("to", [model(), model("openai", OPENAI), ROUTER])
def test_openai_fields(to: Model) -> None:
    """OpenAI, its full copies and OpenRouter get what only OpenAI has."""
    sent = body(chat(**OPENAI_ONLY), to)
    assert {name: sent[name] for name in OPENAI_ONLY} == OPENAI_ONLY


def test_openai_fields_elsewhere() -> None:
    """A provider with a dialect of its own does not get them, and the client hears of it."""
    assert not OPENAI_ONLY.keys() & body(chat(**OPENAI_ONLY), model("groq")).keys()
    assert set(dropped(chat(**OPENAI_ONLY), model("groq"))) == set(OPENAI_ONLY)


@pytest.mark.parametrize(
    ("to", "given", "refused"),
    [
        (model("groq"), ANSWERED | {"top_k": 5, "min_p": 0.1}, {"top_k", "min_p"}),
        (model("cerebras"), ANSWERED, {"frequency_penalty", "presence_penalty", "service_tier"}),
        (model("moonshotai", id="kimi-k3"), GIVEN,
         {"temperature", "top_p", "frequency_penalty", "presence_penalty"}),
        (model("moonshotai", id="moonshot-v1"), GIVEN, set()),
        (model("xai"), GIVEN | {"stop": ("x",)}, {"stop", "frequency_penalty", "presence_penalty"}),
        (model("xai", reasoning=False), GIVEN | {"stop": ("x",)}, set()),
        (model("openai", OPENAI), {"top_k": 5, "min_p": 0.1}, {"top_k", "min_p"}),
        (model(), {"top_k": 5, "min_p": 0.1}, set()),
        (model("cerebras"), {"parallel_tool_calls": False, "tools": (Tool("f"),)}, {"parallel_tool_calls"}),
    ],
)  # fmt: skip
def test_documented_limits(to: Model, given: dict[str, Json], refused: set[str]) -> None:
    """A field that the provider is known to refuse is left out and named; every other one is sent."""
    request = chat(**given)
    assert set(dropped(request, to)) == refused
    assert given.keys() - refused <= body(request, to).keys()
    assert not refused & body(request, to).keys()


@pytest.mark.parametrize(
    ("store", "to", "sent", "lost"),
    [
        (None, model(), False, ()),
        (True, model(), True, ()),
        (False, model("groq", compat={"supportsStore": False}), None, ()),
        (True, model("deepseek"), None, ("store",)),
    ],
)
def test_store(store: bool | None, to: Model, sent: bool | None, lost: tuple[str, ...]) -> None:
    """Nothing is stored unless the client wants it and the upstream can."""
    assert body(chat(store=store), to).get("store") == sent
    assert dropped(chat(store=store), to) == lost


@pytest.mark.parametrize(
    ("asked", "to", "field", "sent"),
    [
        (100, model(max_tokens=4096), "max_completion_tokens", 100),
        (9999, model(max_tokens=4096), "max_completion_tokens", 4096),
        (100, model("deepseek", max_tokens=4096), "max_tokens", 100),
        (100, model(compat={"maxTokensField": "max_tokens"}), "max_tokens", 100),
        (None, model("openai", OPENAI), "max_completion_tokens", None),
        (None, ROUTER, "max_completion_tokens", None),
        (None, model("deepseek", max_tokens=8192), "max_tokens", 8192),
        (None, model(max_tokens=8192, context_window=10000), "max_completion_tokens", 5903),
        (None, model(max_tokens=8192, context_window=0), "max_completion_tokens", 8192),
    ],
)
def test_output_limit(asked: int | None, to: Model, field: str, sent: int | None) -> None:
    """The client's number, capped at the model's; without one, the model's own where servers default to little."""
    found = body(chat(max_tokens=asked), to)
    assert found.get(field) == sent
    assert not {"max_tokens", "max_completion_tokens"} - {field} & found.keys()


def test_response_formats() -> None:
    """A schema goes through untouched; plain text is the default and is not sent."""
    schema = {"type": "object", "properties": {}, "$schema": "x"}
    wanted = ResponseFormat("json_schema", "n", "d", schema, strict=True)
    assert body(chat(response_format=wanted), model())["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": schema, "strict": True},
    }
    small = ResponseFormat("json_schema", "n", None, schema)
    assert body(chat(response_format=small), model())["response_format"]["json_schema"] == {
        "name": "n",
        "schema": schema,
    }
    assert body(chat(response_format=ResponseFormat("json_object")), model())["response_format"] == {
        "type": "json_object"
    }
    assert "response_format" not in body(chat(response_format=ResponseFormat("text")), model())


def test_parallel_tool_calls_needs_tools() -> None:
    """OpenAI refuses the field without tools, where it means nothing."""
    assert "parallel_tool_calls" not in body(chat(parallel_tool_calls=False), model())
    assert body(chat(parallel_tool_calls=False, tools=(Tool("f"),)), model())["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("given", "to", "param"),
    [
        ({"web_search_options": {}}, model("groq"), "web_search_options"),
        ({"logprobs": True}, model("groq"), "logprobs"),
        ({"logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 1}}, model("groq"), "logit_bias"),
        ({"logit_bias": {"1": 1}}, model("cerebras"), "logit_bias"),
    ],
)
def test_what_cannot_be_answered_is_refused(given: dict[str, Any], to: Model, param: str) -> None:
    """Fields whose effect could not reach the client are refused by name."""
    with pytest.raises(UnsupportedParameter) as error:
        build_request(chat(**given), to, Options())
    assert error.value.status == 422
    assert error.value.param == param


def test_web_search() -> None:
    """OpenAI's search models get their options."""
    assert body(chat(web_search_options={"a": 1}), model("openai", OPENAI))["web_search_options"] == {"a": 1}


@pytest.mark.parametrize(
    ("effort", "to", "lost"),
    [
        ("high", model(), ()),
        ("high", model(reasoning=False), ("reasoning_effort",)),
        ("none", model(reasoning=False), ()),
        ("none", model(), ("reasoning_effort",)),
        ("high", model("xai"), ("reasoning_effort",)),
        (None, model("xai"), ()),
    ],
)
def test_effort_that_cannot_be_carried(effort: str | None, to: Model, lost: tuple[str, ...]) -> None:
    """A wish about thinking that the upstream has no words for is named."""
    assert dropped(chat(reasoning_effort=effort), to) == lost


def test_sampling_params_of_the_entry_win() -> None:
    """The user's own sampling parameters beat everything, as in pi, and the client hears of it."""
    to = model(
        sampling_params={"temperature": 0.1, "top_k": 3},
        sampling_params_by_level={"high": {"top_k": 9}, "off": {"a": 1}},
    )
    request = chat(temperature=0.9, reasoning_effort="high", extra={"top_k": 4})
    sent = body(request, to)
    assert (sent["temperature"], sent["top_k"]) == (0.1, 9)
    assert dropped(request, to) == ("temperature",)
    assert "a" not in body(chat(), to)


def test_extra_fields_beat_ours() -> None:
    """Unknown fields of the client go in as they are, but never change what the request is."""
    sent = body(chat(extra={"stream": False, "store": None, "thinking": {"type": "x"}}), model())
    assert sent["stream"] is True
    assert sent["store"] is None
    assert sent["thinking"] == {"type": "x"}


def test_routing_fields() -> None:
    """Routing of OpenRouter and Vercel, and vLLM's priority, come from the entry."""
    to = model(
        compat={
            "openRouterRouting": {"order": ["a"], "allow_fallbacks": False},
            "vercelGatewayRouting": {"only": ["b"], "x": 1},
            "vllmPriority": -5,
        }
    )
    sent = body(chat(), to)
    assert sent["provider"] == {"order": ["a"], "allow_fallbacks": False}
    assert sent["providerOptions"] == {"gateway": {"only": ["b"]}}
    assert sent["priority"] == -5
    assert not {"provider", "providerOptions", "priority"} & body(chat(), ROUTER).keys()


def test_upstream_without_stream_options() -> None:
    """Some servers refuse the field."""
    assert "stream_options" not in body(chat(), model(compat={"supportsUsageInStreaming": False}))


def test_same_prefix_for_the_cache() -> None:
    """The body begins alike in every turn, so that prompt caches work."""
    first = build_request(chat(SystemMessage("s"), UserMessage("a")), model(), Options()).body
    second = build_request(chat(SystemMessage("s"), UserMessage("a"), UserMessage("b")), model(), Options()).body
    assert second.startswith(first[: first.index(b'"a"')])
