"""Bodies that nobody would write: only a :class:`ClientError` may come out, and it can be shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from piproxy.errors import ClientError
from piproxy.openai import failures
from piproxy.openai.decode import Strictness, decode
from piproxy.openai.fields import FIELDS

FULL: dict[str, Any] = {
    "model": "demo/m",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "b"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "reasoning_content": "r",
            "refusal": "no",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {}},
                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "c"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "strict": True,
                "parameters": {"type": "object", "properties": {"a": {"anyOf": [{"type": ["string"]}]}}, "items": []},
            },
        },
        {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    },
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
    "logit_bias": {"1": 2},
    "reasoning": {"effort": "low"},
    "stop": ["a"],
    "temperature": 1,
    "n": 1,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["function", "custom", "text", "user", "type", "data:image/png;base64,", "\ud83d", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += _places(item, (*path, key))
    return found


PLACES = _places(FULL)


def _with(root: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(root) if isinstance(root, dict) else list(root)
    copy[path[0]] = _with(root[path[0]], path[1:], value)
    return copy


def _check(body: bytes, strictness: Strictness) -> None:
    refusal = _refusal(body, strictness)
    if refusal:
        assert refusal.status in {400, 422}
        shown = json.loads(failures.failure(refusal).body)["error"]
        assert shown["message"].endswith(".")
        assert all(isinstance(shown[key], str | None) for key in ("param", "code"))


def _refusal(body: bytes, strictness: Strictness) -> ClientError | None:
    try:
        decode(body, strictness=strictness, remote_images=True)
    except ClientError as error:
        return error
    return None


strictnesses = st.sampled_from(["strict", "warn", "pass"])


def test_the_full_body_is_accepted() -> None:
    """Otherwise the tests below would prove little."""
    assert len(decode(json.dumps(FULL).encode()).chat.messages) == 4


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), json_values), min_size=1, max_size=2), strictnesses)
def test_any_value_at_any_place(changes: list[tuple[tuple[Any, ...], Any]], strictness: Strictness) -> None:
    """Whatever stands wherever in a body, the answer is a request or a client error."""
    body: Any = FULL
    for path, value in changes:
        if path in _places(body):
            body = _with(body, path, value)
    _check(json.dumps(body).encode(), strictness)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), json_values, max_size=5), strictnesses)
def test_any_value_for_any_field(fields: dict[str, Any], strictness: Strictness) -> None:
    """The same for top-level fields that the full body does not have."""
    _check(json.dumps({**FULL, **fields}).encode(), strictness)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 600), strictnesses)
def test_any_bytes(noise: bytes, cut: int, strictness: Strictness) -> None:
    """Noise alone, and a good body with noise put in or cut off."""
    whole = json.dumps(FULL).encode()
    for body in (noise, whole[:cut], whole[:cut] + noise + whole[cut:]):
        _check(body, strictness)


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, 10**400, "", [], {}, [[]], [{}], {"type": "text"}], ids=str)
def test_one_kind_at_each_place(value: Any) -> None:
    """One value of each JSON kind, at every place of the full body."""
    for path in PLACES:
        _check(json.dumps(_with(FULL, path, value)).encode(), "strict")
