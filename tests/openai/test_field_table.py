"""The table of request fields against the rooms themselves: what it promises is what they do.

If a room learned or lost a field, change its letter in :mod:`piproxy.openai.fields`; the README is made from there.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from piproxy.chat import Chat
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.openai.decode import decode
from piproxy.openai.fields import APIS, FIELDS
from piproxy.wire.room import Options
from piproxy.wire.rooms import room_for

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "properties": {}}}}

VALUES: dict[str, tuple[Any, ...]] = {
    "temperature": (0.5,),
    "top_p": (0.95,),
    "max_completion_tokens": (2000,),
    "max_tokens": (2000,),
    "stop": (["x"],),
    "seed": (1,),
    "frequency_penalty": (1,),
    "presence_penalty": (1,),
    "logit_bias": ({"1": 1},),
    "logprobs": (True,),
    "top_logprobs": (3,),
    "tools": ([TOOL],),
    "tool_choice": ("required",),
    "parallel_tool_calls": (False,),
    "response_format": (SCHEMA,),
    "reasoning_effort": ("high",),
    "verbosity": ("low",),
    "user": ("u",),
    "safety_identifier": ("s",),
    "metadata": ({"a": "b"},),
    "store": (True,),
    "service_tier": ("flex", "default", "standard_only"),
    "prediction": ({"type": "content", "content": "x"},),
    "prompt_cache_key": ("k",),
    "prompt_cache_retention": ("24h",),
    "prompt_cache_options": ({"mode": "explicit"},),
    "web_search_options": ({"search_context_size": "low"},),
    "top_k": (5,),
    "min_p": (0.1,),
    "reasoning": ({"effort": "high"},),
    "cache_control": ({"type": "ephemeral", "ttl": "1h"},),
}
"""For every field that the table carries, values of which at least one is understood where any is."""

NEEDS: dict[str, dict[str, Any]] = {
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
}

ALWAYS = {"model", "messages", "stream", "stream_options", "usage"}

_CLAUDE_3 = "anthropic.claude-3-7-sonnet-20250219-v1:0"
MODELS: dict[str, tuple[tuple[str, str, str, dict[str, Any]], ...]] = {
    "openai-completions": (
        ("openai", "gpt-x", "https://api.openai.com/v1", {}),
        ("local", "llama", "http://127.0.0.1:8000/v1", {"cacheControlFormat": "anthropic"}),
    ),
    "openai-responses": (("openai", "gpt-x", "https://api.openai.com/v1", {}),),
    "azure-openai-responses": (("azure-openai-responses", "gpt-x", "https://x.openai.azure.com/openai/v1", {}),),
    "openai-codex-responses": (("openai-codex", "gpt-x", "https://chatgpt.com/backend-api", {}),),
    "mistral-conversations": (("mistral", "mistral-x", "https://api.mistral.ai", {}),),
    "anthropic-messages": (("anthropic", "claude-sonnet-4-5", "https://api.anthropic.com", {}),),
    "google-generative-ai": (
        ("google", "gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta", {}),
        ("google", "gemini-3-pro-preview", "https://generativelanguage.googleapis.com/v1beta", {}),
    ),
    "google-vertex": (("google-vertex", "gemini-2.5-pro", "https://{location}-aiplatform.googleapis.com", {}),),
    "bedrock-converse-stream": (
        ("amazon-bedrock", _CLAUDE_3, "https://bedrock-runtime.us-east-1.amazonaws.com", {}),
        ("amazon-bedrock", "amazon.nova-pro-v1:0", "https://bedrock-runtime.us-east-1.amazonaws.com", {}),
    ),
    "pi-messages": (("radius", "m", "https://radius.example", {}),),
}
ENV = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "us-central1", "AWS_REGION": "us-east-1"}


def _chat(**fields: Any) -> Chat:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    return decode(json.dumps(body).encode()).chat


def _models(api: str) -> list[Model]:
    return [
        Model(provider=provider, id=name, api=api, base_url=url, compat=compat, reasoning=True, input=("text", "image"))
        for provider, name, url, compat in MODELS[api]
    ]


def _options(chat: Chat) -> Options:
    """As the exchange makes them: the client's cache key is the conversation's id."""
    return Options(env=ENV, wire_id="w", session_id=chat.prompt_cache_key or "hash")


def _what_becomes(name: str, value: Any, model: Model) -> str:
    room = room_for(model.api)
    plain = _chat(**NEEDS.get(name, {}))
    asked = _chat(**NEEDS.get(name, {}), **{name: value})
    try:
        without = room.build_request(plain, model, _options(plain))
        made = room.build_request(asked, model, _options(asked))
    except UnsupportedParameter as refusal:
        return "refused" if refusal.param in {name, *NEEDS.get(name, {})} else f"refused for {refusal.param}"
    if name in made.dropped:
        return "skipped"
    changed = (made.body, made.headers, made.notes) != (without.body, without.headers, without.notes)
    return "carried" if changed else "lost silently"


def test_every_carried_field_has_a_sample() -> None:
    """A new field cannot slip by."""
    assert set(VALUES) | ALWAYS == {name for name, field in FIELDS.items() if field.kind == "carry"}


@pytest.mark.parametrize("api", [*APIS, "google-vertex"])
def test_the_table_says_what_the_rooms_do(api: str) -> None:
    """A field is carried if some model of the api takes it; else it is skipped by name or refused, never lost."""
    for name, values in VALUES.items():
        seen = {_what_becomes(name, value, model) for value in values for model in _models(api)}
        assert "lost silently" not in seen or "carried" in seen, f"{name} is lost silently"
        promised = FIELDS[name].disposition(api)
        told = "carried" if promised in {"forwarded", "translated"} else promised
        shown = [word for word in ("carried", "skipped", "refused") if word in seen]
        assert (name, shown[:1]) == (name, [told])
