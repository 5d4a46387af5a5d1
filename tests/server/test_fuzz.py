"""Malformed, odd and hostile bodies at the served app: never a 500, never a task or a connection that stays.

``PIPROXY_FUZZ=5000`` throws that many bodies, for minutes; by default there are a few hundred.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import trio
from fakes.answers import WIRES, Said, models_json
from fakes.client import Client, Reply
from fakes.gateway import Gateway, gateway
from fakes.sdk import saying
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from piproxy.openai.fields import FIELDS

BODIES: Final = int(os.environ.get("PIPROXY_FUZZ", "200"))
PER_RUN: Final = 8
"""Bodies for one gateway, so that what one leaves behind meets the next."""

_TEXT = st.text(max_size=12) | st.sampled_from(["", " ", "\x00", "\ud800", "user", "tool", "text", "function", "auto"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**30, 1e308, -0.0, 1.0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=12
)
_PNG = "data:image/png;base64,iVBORw0KGgo="
_PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": _TEXT}),
        st.fixed_dictionaries({"type": st.just("text"), "text": _TEXT}, optional={"cache_control": _JSON}),
        st.just({"type": "image_url", "image_url": {"url": _PNG}}),
    ),
    max_size=3,
)
_CALL = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "a|b", "x" * 70, "", "\ud83d\ude00"]),
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["f", "g", ""]), "arguments": _TEXT | st.just("{}")}
        ),
    }
)
_SAID: dict[str, st.SearchStrategy[Any]] = {"name": _TEXT, "cache_control": _JSON}
_GOOD_MESSAGE = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer"]), "content": _TEXT}, optional=_SAID),
    st.fixed_dictionaries({"role": st.just("user"), "content": _TEXT | _PARTS}, optional=_SAID),
    st.fixed_dictionaries({"role": st.just("user"), "content": _TEXT | _PARTS}),
    st.fixed_dictionaries(
        {"role": st.just("assistant")},
        optional={
            "content": _TEXT | st.none(),
            "tool_calls": st.lists(_CALL, max_size=3),
            "reasoning_content": _TEXT,
            "reasoning_details": _JSON,
            "refusal": _TEXT | st.none(),
        },
    ),
    st.fixed_dictionaries(
        {"role": st.just("tool"), "tool_call_id": st.sampled_from(["a", "a|b", "x" * 70, ""]), "content": _TEXT}
    ),
)
_ODD_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]) | _JSON},
    optional={"content": _JSON, "tool_calls": _JSON, "tool_call_id": _JSON, "name": _JSON, "refusal": _JSON},
)
_SCHEMA: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from([{}, {"type": "string"}, {"$ref": "#"}, {"enum": [1]}, {"type": "integer", "maximum": 2**70}]),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array"])},
        optional={
            "properties": st.dictionaries(_TEXT, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "$defs": st.dictionaries(_TEXT, inner, max_size=2),
        },
    ),
    max_leaves=6,
)
_TOOLS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": st.sampled_from(["f", "g", "a.b", "x" * 70])},
                optional={"parameters": _SCHEMA, "strict": st.booleans(), "description": _TEXT},
            ),
        }
    ),
    max_size=2,
    unique_by=lambda tool: tool["function"]["name"],
)
_FORM = st.fixed_dictionaries(
    {
        "type": st.just("json_schema"),
        "json_schema": st.fixed_dictionaries(
            {"name": st.just("s"), "schema": _SCHEMA.map(lambda s: {**s, "type": "object"})}
        ),
    }
)
_GOOD: dict[str, st.SearchStrategy[Any]] = {
    "stream": st.booleans(),
    "tools": _TOOLS,
    "tool_choice": st.sampled_from(["none", "auto", "required"]),
    "response_format": _FORM | st.just({"type": "json_object"}),
    "stop": st.lists(_TEXT, max_size=5) | _TEXT,
    "temperature": st.floats(0, 2) | st.integers(0, 2),
    "top_p": st.floats(0, 1),
    "max_tokens": st.integers(1, 2**40),
    "max_completion_tokens": st.integers(1, 2000),
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    "reasoning": st.fixed_dictionaries({}, optional={"max_tokens": st.integers(-1, 2**40), "enabled": st.booleans()}),
    "seed": st.integers(),
    "user": _TEXT,
    "metadata": st.dictionaries(_TEXT, _TEXT, max_size=2),
    "prompt_cache_key": _TEXT,
    "cache_control": st.dictionaries(_TEXT, _JSON, max_size=2),
    "service_tier": _TEXT,
    "prediction": st.dictionaries(_TEXT, _JSON, max_size=2),
    "top_k": st.integers(),
    "verbosity": st.sampled_from(["low", "medium", "high"]),
}
_ODD = [name for name in FIELDS if name not in ("model", "messages")] + ["wobble"]


@st.composite
def _requests(draw: st.DrawFn, odd: int = 0) -> Any:
    """A body as clients send it, and ``odd`` things in it that no client would send."""
    body: dict[str, Any] = {"model": f"p-{draw(st.sampled_from(list(WIRES)))}/m"}
    body["messages"] = draw(st.lists(_GOOD_MESSAGE, min_size=1, max_size=4))
    for name in draw(st.lists(st.sampled_from(list(_GOOD)), max_size=4, unique=True)):
        body[name] = draw(_GOOD[name])
    for _ in range(odd):
        if draw(st.booleans()):
            body["messages"].append(draw(_ODD_MESSAGE))
        else:
            body[draw(st.sampled_from(_ODD))] = draw(_JSON)
    return body


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


_BODIES = st.one_of(
    _requests().map(_encoded),
    _requests().map(_encoded),
    _requests().map(_encoded),
    _requests().map(_encoded),
    _requests(odd=1).map(_encoded),
    _requests(odd=1).map(_encoded),
    st.binary(max_size=60) | _JSON.map(_encoded),
    st.tuples(_requests().map(_encoded), st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]]),
    st.integers(1, 3000).map(lambda deep: b'{"model":"m","messages":' + b"[" * deep)
    | st.integers(1, 3000).map(lambda deep: b'{"model":"m","messages":' + b'{"a":' * deep + b"1" + b"}" * deep + b"}"),
)


async def _ask(g: Gateway, client: Client, body: bytes) -> Reply:
    del g
    with trio.fail_after(60):
        return await client.ask("POST", "/v1/chat/completions", body)


def _judge(reply: Reply, body: bytes) -> None:
    shown = body[:3000]
    assert reply.complete, shown
    assert reply.status != 500, (reply.body[:500], shown)
    if reply.status != 200:
        error = reply.json["error"]
        assert set(error) == {"message", "type", "param", "code"}, shown
        assert reply.status < 500, (error, shown)  # this provider never fails
    elif reply.headers["content-type"].startswith("text/event-stream"):
        assert reply.frames[-1] == "[DONE]", shown
        assert not any("error" in frame for frame in reply.frames[:-1]), (reply.frames, shown)
    else:
        assert reply.json["object"] == "chat.completion", shown


@settings(
    max_examples=max(1, BODIES // PER_RUN),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(
    bodies=st.lists(_BODIES, min_size=PER_RUN, max_size=PER_RUN), strictness=st.sampled_from(["strict", "warn", "pass"])
)
def test_bodies_of_any_kind(tmp_path_factory: Any, bodies: list[bytes], strictness: str) -> None:
    """An answer or a refusal in OpenAI's shape; the gateway afterwards has nothing open and nothing running."""
    directory: Path = tmp_path_factory.mktemp("pi")

    async def run() -> None:
        flags: dict[str, Any] = {"strictness": strictness}
        async with gateway(directory, saying(Said(text=["ok"])), models=models_json(), flags=flags) as g:
            client = g.client()
            for body in bodies:
                _judge(await _ask(g, client, body), body)
            await client.leave()
            with trio.fail_after(60):
                await client.server_done.wait()  # every task of every request has ended
            assert len(g.engine.exchange) == 0

    trio.run(run, clock=MockClock(autojump_threshold=0))
