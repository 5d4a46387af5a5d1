"""The table of request fields against the rooms themselves: what it promises is what they do.

If a room learned or lost a field, change its letter in :mod:`piproxy.openai.fields`; docs/fields.md is made from there.
``upstream/<api>.json`` pins, for every field, what exactly goes to which model; to write these files anew, look at the
difference and commit it: ``PYTHONPATH=tests python tests/openai/test_field_table.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

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
    "verbosity": ("low", "high"),
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

PINNED: Final = Path(__file__).parent / "upstream"
OURS: Final = ("stop",)
"""What piproxy does by itself, in the answer, where an API has no field for it."""
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
    "anthropic-messages": (
        ("anthropic", "claude-sonnet-4-5", "https://api.anthropic.com", {}),
        ("opencode", "claude-sonnet-4-5", "https://opencode.ai/zen", {}),
    ),
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
    changed = (made.body, made.headers) != (without.body, without.headers) or name in OURS
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


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``; arrays stay whole."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {name: leaf for key, member in value.items() for name, leaf in _flat(member, f"{path}.{key}").items()}


def _upstream(name: str, value: Any, model: Model) -> dict[str, Any]:
    """What the field changes of the request: members of the body and headers by path, ``null`` if they go."""
    room = room_for(model.api)
    plain, asked = _chat(**NEEDS.get(name, {})), _chat(**NEEDS.get(name, {}), **{name: value})
    try:
        made = room.build_request(asked, model, _options(asked))
        without = room.build_request(plain, model, _options(plain))
    except UnsupportedParameter as refusal:
        return {"refused": refusal.param}
    then, now = (
        _flat({"body": json.loads(request.body), "headers": dict(request.headers)}) for request in (without, made)
    )
    found = {path[1:]: now.get(path) for path in (*now, *then) if now.get(path) != then.get(path)}
    if made.dropped:
        found["dropped"] = list(made.dropped)
    if not found and name in OURS:
        found["here"] = "piproxy does it by itself"
    return found


def _pins(api: str) -> dict[str, Any]:
    return {
        f"{model.provider}/{model.id}": {
            f"{name}={json.dumps(value)}": _upstream(name, value, model)
            for name, values in VALUES.items()
            for value in values
        }
        for model in _models(api)
    }


@pytest.mark.parametrize("api", [*APIS, "google-vertex"])
def test_what_goes_upstream_for_every_field(api: str) -> None:
    """Every field in every room, to the letter."""
    assert _pins(api) == json.loads((PINNED / f"{api}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    PINNED.mkdir(exist_ok=True)
    for one in (*APIS, "google-vertex"):
        (PINNED / f"{one}.json").write_text(
            json.dumps(_pins(one), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
