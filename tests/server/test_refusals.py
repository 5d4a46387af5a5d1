"""What is refused: each field and value with its status, its code, its place and what to do instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from fakes.answers import WIRES, Said, models_json
from fakes.gateway import gateway
from fakes.sdk import saying
from trio.testing import MockClock

from piproxy.openai.fields import FIELDS

HELLO: Final = {"role": "user", "content": "hello"}
TOOL: Final = {"type": "custom", "custom": {"name": "c"}}
AUDIO: Final = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}
FILE: Final = {"type": "file", "file": {"file_id": "file-1"}}

EVERYWHERE: Final[tuple[tuple[str, Any, str], ...]] = (
    ("n", 2, "Send one request per choice."),
    ("modalities", ["text", "audio"], 'Ask for ["text"].'),
    ("audio", {"voice": "alloy", "format": "wav"}, "Leave it out."),
    ("functions", [{"name": "f"}], "Use 'tools'"),
    ("function_call", {"name": "f"}, "Use 'tool_choice'."),
    ("moderation", {"model": "x"}, "Call a moderation endpoint first."),
    ("wobble", 1, "strictness 'warn' or 'pass'"),
)
"""Whatever the API."""
BY_API: Final = {
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"50256": 1},
    "web_search_options": {},
}
"""Refused where the table says so."""
ADVICE: Final = "Leave it out, or choose a model whose API has it."


def _with_part(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [HELLO, {"role": "user", "content": [{"type": "text", "text": "a"}, part]}]


PARTS: Final = {
    "audio": (AUDIO, {"openai-responses", "azure-openai-responses", "openai-codex-responses", "anthropic-messages",
                      "pi-messages"}),
    "file by id": (FILE, {"anthropic-messages", "google-generative-ai", "google-vertex", "bedrock-converse-stream",
                          "pi-messages"}),
}  # fmt: skip


@pytest.mark.parametrize("strictness", ["strict", "warn", "pass"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("name", "value", "advice"), EVERYWHERE)
async def test_what_no_answer_could_be_given_to(
    name: str, value: Any, advice: str, stream: bool, strictness: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """422 with the field's name and one sentence on what to do; ``strictness`` softens only what is merely unknown."""
    async with gateway(
        tmp_path, saying(Said(text=["ok"])), models=models_json(), flags={"strictness": strictness}
    ) as g:
        client = g.client()
        body = {"model": "p-openai-completions/m", "messages": [HELLO], "stream": stream, name: value}
        reply = await client.ask("POST", "/v1/chat/completions", body)
        if strictness != "strict" and name in ("wobble", "moderation"):
            assert reply.status == 200
        else:
            _refused(reply.status, reply.json["error"], name, advice)
            assert g.provider.asked == []
        await client.leave()


def _refused(status: int, error: Any, param: str, advice: str) -> None:
    assert (status, error["type"], error["code"]) == (422, "invalid_request_error", "unsupported_parameter"), error
    assert error["param"] == param
    assert advice in error["message"]
    assert error["message"].endswith(".")


@pytest.mark.parametrize("api", list(WIRES))
async def test_what_an_api_cannot_do(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """As the table of fields says; parts of messages with their place, in brackets."""
    async with gateway(tmp_path, saying(Said(text=["ok"])), models=models_json()) as g:
        client = g.client()

        async def ask(**fields: Any) -> Any:
            body = {"model": f"p-{api}/m", "messages": [HELLO], **fields}
            return await client.ask("POST", "/v1/chat/completions", body)

        for name, value in BY_API.items():
            more = {"logprobs": True} if name == "top_logprobs" else {}
            reply = await ask(**more, **{name: value})
            if FIELDS[name].disposition(api) == "refused":
                _refused(reply.status, reply.json["error"], "logprobs" if more else name, ADVICE)
            else:
                assert reply.status == 200
                assert f'"{name}"'.encode() in g.provider.asked[-1].body or "logprobs" in name
        for part, refusing in PARTS.values():
            reply = await ask(messages=_with_part(part))
            if api in refusing:
                _refused(reply.status, reply.json["error"], "messages[1].content[1]", "")
            else:
                assert reply.status == 200, reply.body
        reply = await ask(tools=[TOOL])
        if api == "mistral-conversations":
            _refused(reply.status, reply.json["error"], "tools[0]", "Declare a function tool instead.")
        else:
            assert reply.status == 200
        await client.leave()


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"n": 0}, "n", "below_min_value"),
        ({"n": "1"}, "n", "invalid_type"),
        ({"n": True}, "n", "invalid_type"),
        ({"modalities": "text"}, "modalities", "invalid_type"),
        ({"modalities": ["video"]}, "modalities[0]", "invalid_value"),
        ({"audio": "alloy"}, "audio", "invalid_type"),
        ({"functions": {"name": "f"}}, "functions", "invalid_type"),
        ({"function_call": 1}, "function_call", "invalid_type"),
        ({"function_call": "f"}, "function_call", "invalid_value"),
        ({"temperature": 2.5}, "temperature", "above_max_value"),
        ({"temperature": -1}, "temperature", "below_min_value"),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"top_p": 1.5}, "top_p", "above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "below_min_value"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_type"),
        ({"stop": [1]}, "stop[0]", "invalid_type"),
        ({"stream": "true"}, "stream", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [HELLO, {"role": "function", "name": "f", "content": "x"}]}, "messages[1].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text",
         "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type",
         "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages[0].content[0].image_url.url", "invalid_image_url"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": 7}}}]},
         "tools[0].function.parameters.type", "invalid_function_parameters"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": 1}}}}]},
         "tools[0].function.parameters.properties.a", "invalid_function_parameters"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ({"top_logprobs": 3}, "top_logprobs", "invalid_value"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "above_max_value"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1", "above_max_value"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"model": ""}, "model", "empty_string"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"messages": None}, "messages", "missing_required_parameter"),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict) else "",
)  # fmt: skip
async def test_faults_of_type_and_range(
    change: dict[str, Any], param: str, code: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """400 with the path and OpenAI's code, in one sentence."""
    async with gateway(tmp_path, saying(Said(text=["ok"])), models=models_json()) as g:
        client = g.client()
        body = {"model": "p-openai-completions/m", "messages": [HELLO], **change}
        reply = await client.ask("POST", "/v1/chat/completions", body)
        error = reply.json["error"]
        assert (reply.status, error["type"]) == (400, "invalid_request_error")
        assert (error["param"], error["code"]) == (param, code)
        assert error["message"].endswith(".")
        assert g.provider.asked == []
        await client.leave()
