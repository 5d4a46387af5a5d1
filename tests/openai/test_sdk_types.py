"""OpenAI's own types, as openai-python has them, against what is accepted: every field, every value of every choice.

When a new SDK knows something new, this fails and says what.
"""

from __future__ import annotations

import collections.abc
import json
from collections.abc import Iterator
from typing import Any, Final, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from typing_extensions import is_typeddict

from piproxy.errors import ClientError
from piproxy.openai.decode import decode
from piproxy.openai.fields import FIELDS

HINTS: Final = get_type_hints(CompletionCreateParamsNonStreaming, include_extras=True)
HELLO: Final = {"role": "user", "content": "hello"}
PNG: Final = "data:image/png;base64,iVBORw0KGgo="
REFUSED: Final = frozenset(
    ("audio", "function_call", "functions", "modalities", "moderation", "n", "messages[0].audio",
     "messages[0].function_call", "messages[0].role", "messages[0].content[0].file")
)  # fmt: skip
"""What is refused by name: audio output, deprecated functions, moderation, which only OpenAI's own API has, and a file
part without a file."""


def samples(kind: Any, name: str = "") -> Iterator[Any]:
    """Values of a type: each choice once, each optional field once alone and all of them together."""
    origin = get_origin(kind)
    if origin in (Required, NotRequired):
        yield from samples(get_args(kind)[0], name)
    elif origin is Literal:
        yield from get_args(kind)
    elif origin is Union or type(kind).__name__ == "UnionType":
        for one in get_args(kind):
            yield from samples(one, name)
    elif origin in (collections.abc.Iterable, list, collections.abc.Sequence):
        yield from ([one] for one in samples(get_args(kind)[0], name))
    elif origin is dict and name == "tools":  # of `allowed_tools`, where the type says nothing about them
        yield {"type": "function", "function": {"name": "hello"}}
        yield {"type": "custom", "custom": {"name": "hello"}}
    elif origin is dict:
        key = "50256" if name == "logit_bias" else "type"
        yield from ({key: one} for one in samples(get_args(kind)[1], name))
    elif is_typeddict(kind):
        yield from _objects(kind)
    elif kind is type(None):
        yield None
    elif kind in _PLAIN:
        yield PNG if name == "url" else "object" if name == "parameters" else _PLAIN[kind]
    else:
        raise AssertionError(f"{name} has the unknown type {kind}")


_PLAIN: Final[dict[Any, Any]] = {str: "hello", int: 1, float: 1, bool: True, object: "object"}


def _objects(kind: Any) -> Iterator[dict[str, Any]]:
    hints = get_type_hints(kind, include_extras=True)
    first = {name: next(value for value in samples(hint, name) if value is not None) for name, hint in hints.items()}
    least = {name: first[name] for name, hint in hints.items() if get_origin(hint) is Required}
    yield least
    yield {name: first[name] for name in hints}
    for name, hint in hints.items():
        for value in samples(hint, name):
            yield {**least, name: value}


def requests(name: str) -> Iterator[dict[str, Any]]:
    """Bodies with every sample of one field."""
    needs: dict[str, Any] = {}
    if name == "top_logprobs":
        needs = {"logprobs": True}
    elif name == "tool_choice":
        needs = {"tools": [{"type": kind, kind: {"name": "hello"}} for kind in ("function", "custom")]}
    for value in samples(HINTS[name], name):
        yield {"model": "m", "messages": [HELLO], **needs, name: value}


def refused(body: dict[str, Any]) -> str | None:
    """The place that is refused, if one is."""
    try:
        decode(json.dumps(body).encode())
    except ClientError as refusal:
        return refusal.param or refusal.message
    return None


@pytest.mark.parametrize("name", list(HINTS))
def test_all_that_the_sdk_can_say_is_understood(name: str) -> None:
    """A request that openai-python's types allow is taken, or refused by the name of what could not be answered."""
    bodies = list(requests(name))
    assert bodies
    for body in bodies:
        assert refused(body) in {None, *REFUSED}, body


def test_the_samples_are_many() -> None:
    """Messages of every role, parts, tools and choices of every type: the rest proves little otherwise."""
    said = json.dumps([body for name in HINTS for body in requests(name)])
    for word in (
        "developer",
        "tool_call_id",
        "input_audio",
        "file_data",
        "image_url",
        "original",
        "refusal",
        "grammar",
    ):
        assert f'"{word}"' in said
    for word in (
        "allowed_tools",
        "json_schema",
        "prompt_cache_breakpoint",
        "xhigh",
        "in_memory",
        "include_obfuscation",
    ):
        assert f'"{word}"' in said
    assert set(HINTS) <= set(FIELDS)
