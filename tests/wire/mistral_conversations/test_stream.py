from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
from piproxy.events import (
    Event,
    Finish,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.wire.mistral_conversations.notes import Notes
from piproxy.wire.mistral_conversations.stream import MistralParser, stream_parser
from piproxy.wire.room import WireRequest

Frame = dict[str, Any]
STARTED = Started("c1", "mistral-large")


def chunk(delta: Frame, finish: str | None = None, *, index: int = 0, **members: Any) -> Frame:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "model": "mistral-large", "choices": [choice], **members}


def piece(index: int | None, id: str | None = None, name: str = "", arguments: Any = "") -> Frame:
    made: Frame = {"function": {"name": name, "arguments": arguments}}
    made |= {} if id is None else {"id": id}
    return made if index is None else made | {"index": index}


def calls(*pieces: Frame) -> Frame:
    return chunk({"content": "", "tool_calls": list(pieces)})


END = chunk({"content": ""}, "stop")


def sse(frames: tuple[Frame, ...], *, done: bool = True) -> bytes:
    body = b"".join(b"data: " + json.dumps(frame).encode() + b"\r\n\r\n" for frame in frames)
    return body + (b"data: [DONE]\n\n" if done else b"")


def read(body: bytes, *, step: int | None = None) -> list[Event]:
    parser = MistralParser(Notes(wire_id="w"))
    events: list[Event] = []
    for at in range(0, len(body), step or len(body) or 1):
        events.extend(parser.feed(body[at : at + (step or len(body))]))
    events.extend(parser.end())
    assert isinstance(events[-2], Usage)
    return [event for event in events if not (isinstance(event, Usage) and event.estimated)]


def answer(*frames: Frame, done: bool = True) -> list[Event]:
    whole = read(sse(frames, done=done))
    assert read(sse(frames, done=done), step=1) == whole
    return whole


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("Hi", [TextDelta("Hi")]),
        ("", []),
        (None, []),
        ([{"type": "text", "text": "Hi"}, "there"], [TextDelta("Hi"), TextDelta("there")]),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}, {"type": "text", "text": "m"}]}],
            [ReasoningDelta("Hm")],
        ),
        ([{"type": "thinking", "thinking": "Hm"}], [ReasoningDelta("Hm")]),
        ([{"type": "thinking", "thinking": []}], []),
        ([{"type": "reference", "reference_ids": [1]}, 7, None], []),
    ],
)
def test_content(content: Any, want: list[Event]) -> None:
    """A string or a list of chunks; thinking becomes reasoning, references are left out, nothing empty is given."""
    assert answer(chunk({"role": "assistant", "content": ""}), chunk({"content": content}), END) == [
        STARTED,
        *want,
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("frames", "want"),
    [
        (
            [calls(piece(0, "aB3dE5fG7", "f", '{"a": 1}'), piece(1, "xY3dE5fG7", "g", "{}"))],
            [("aB3dE5fG7", "f", '{"a": 1}'), ("xY3dE5fG7", "g", "{}")],
        ),
        ([calls(piece(0, "a", "f")), calls(piece(0, None, "", '{"a": 1}'))], [("a", "f", '{"a": 1}')]),
        ([calls(piece(0, "a", "f", '{"a"')), calls(piece(0, "null", "", ": 1}"))], [("a", "f", '{"a": 1}')]),
        ([calls(piece(None, "a", "f", "{}"), piece(None, "b", "g", "[]"))], [("a", "f", "{}"), ("b", "g", "[]")]),
        ([calls(piece(0, "a", "f", "{}"), piece(0, "b", "g", "[]"))], [("a", "f", "{}"), ("b", "g", "[]")]),
        ([calls(piece(0, "a", "f", {"b": [1, 2.0]}))], [("a", "f", '{"b":[1,2.0]}')]),
        ([calls(piece(0, "a", "f", {}))], [("a", "f", "{}")]),
        ([calls(piece(0, "a", "f", None))], [("a", "f", "")]),
        (
            [calls(piece(0, "null", "f", "{}"), piece(1, None, "g", "{}"))],
            [("call_w_0", "f", "{}"), ("call_w_1", "g", "{}")],
        ),
        ([calls(piece(None, None, "f", "{")), calls(piece(None, None, "", "}"))], [("call_w_0", "f", "{}")]),
        ([calls(piece(0, "a")), calls(piece(0, None, "f", "{}"))], [("a", "f", "{}")]),
        ([calls(piece(0, "a", "f", "{}"), piece(1, "a", "g", "{}"))], [("a", "f", "{}"), ("call_w_1", "g", "{}")]),
    ],
    ids=[
        "whole",
        "goes on without id",
        "goes on with id null",
        "no index",
        "one index for all",
        "object",
        "empty object",
        "no arguments",
        "no ids",
        "neither index nor id",
        "name comes late",
        "an id twice",
    ],
)
def test_calls(frames: list[Frame], want: list[tuple[str, str, str]]) -> None:
    """Every call has one id, one name and its own arguments, however its pieces are numbered."""
    events = answer(*frames, chunk({"content": ""}, "tool_calls"))
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    assert [start.index for start in starts] == list(range(len(want)))
    texts = [
        "".join(event.arguments for event in events if isinstance(event, ToolCallDelta) and event.index == start.index)
        for start in starts
    ]
    assert [(start.id, start.name, text) for start, text in zip(starts, texts, strict=True)] == want
    assert events[-1] == Finish("tool_calls")


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ("stop", Finish("stop")),
        ("length", Finish("length")),
        ("model_length", Finish("length")),
        ("tool_calls", Finish("tool_calls")),
        ("content_filter", Finish("content_filter")),
        ("novel", Finish("stop", "novel")),
    ],
)
def test_finish_reasons(said: str, want: Finish) -> None:
    """Mistral's words in OpenAI's; one that is not known is kept beside ``stop``."""
    for done in (True, False):
        assert answer(chunk({"content": "Hi"}, said), done=done)[-1] == want


def test_stop_with_calls_is_tool_calls() -> None:
    """A client that is given calls must be told to make them."""
    assert answer(calls(piece(0, "a", "f", "{}")), END)[-1] == Finish("tool_calls")


@pytest.mark.parametrize(
    ("usage", "want"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
            Usage(input=6, output=5, cache_read=4, total=15),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_token_details": {"cached_tokens": 4}},
            Usage(input=6, output=5, cache_read=4),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "num_cached_tokens": 4}, Usage(input=6, output=5, cache_read=4)),
        ({"prompt_tokens": 3, "completion_tokens": 5, "num_cached_tokens": 9}, Usage(input=0, output=5, cache_read=3)),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"audio_tokens": 375}, "total_tokens": 378},
            Usage(input=3, total=378, details={"prompt": {"audio_tokens": 375}}),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 2}},
            Usage(input=3, output=5, reasoning=2),
        ),
        ({"prompt_tokens": None, "prompt_tokens_details": 7}, Usage()),
    ],
)
def test_usage(usage: Frame, want: Usage) -> None:
    """Cached tokens stand in one of three places; the last usage counts, once and before the finish."""
    assert answer(chunk({"content": ""}, usage={"prompt_tokens": 99}), chunk({"content": ""}, "stop", usage=usage)) == [
        STARTED,
        want,
        Finish("stop"),
    ]


def test_usage_may_come_behind_the_finish_reason() -> None:
    """A chunk without choices brings it."""
    last = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert answer(END, last) == [STARTED, Usage(input=1, output=2), Finish("stop")]


def test_usage_that_nobody_counted_is_estimated() -> None:
    """An answer without numbers is counted by characters and says so."""
    parser = MistralParser(Notes(prompt=Chat(model="m", messages=(UserMessage("x" * 35),))))
    thought = chunk({"content": [{"type": "thinking", "thinking": "y" * 7}]})
    body = sse((thought, chunk({"content": "z" * 3}), calls(piece(0, "a", "f", "{" * 4)), END))
    assert parser.feed(body)[-2] == Usage(input=10, output=4, reasoning=2, estimated=True)


def test_only_the_first_choice_counts() -> None:
    """An answer has one choice."""
    assert answer(chunk({"content": "a"}), chunk({"content": "b"}, "stop", index=1), END) == [
        STARTED,
        TextDelta("a"),
        Finish("stop"),
    ]


def test_a_whole_answer_is_an_answer_too() -> None:
    """JSON with status 200 gives the same events."""
    message = {"role": "assistant", "content": "Hi", "tool_calls": [piece(0, "a", "f", "{}")]}
    body = {
        "id": "c1",
        "model": "mistral-large",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    for step in (None, 1):
        assert read(json.dumps(body).encode(), step=step) == [
            STARTED,
            TextDelta("Hi"),
            ToolCallStart(0, "a", "f"),
            ToolCallDelta(0, "{}"),
            Usage(input=1, output=2),
            Finish("tool_calls"),
        ]


def failure(body: bytes) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(body)
    return caught.value


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        ({"object": "error", "message": "Bad.", "type": "invalid", "code": "1", "raw_status_code": 400}, 400),
        ({"object": "error", "message": "Slow down.", "code": "1300", "raw_status_code": 429}, 429),
        ({"error": {"message": "Oops."}}, 502),
        ({"detail": "Invalid API Key"}, 502),
        (chunk({"content": ""}, "error"), 502),
    ],
)
def test_errors_inside_the_answer(frame: Frame, status: int) -> None:
    """As a frame behind text, or as the whole document, it is the provider's error."""
    late = failure(sse((chunk({"content": "Hal"}), frame), done=False))
    assert isinstance(late, ProviderError)
    assert late.status == status
    assert list(late.events)[:2] == [STARTED, TextDelta("Hal")]
    assert isinstance(failure(json.dumps(frame).encode()), ProviderError)


@pytest.mark.parametrize(
    "body",
    [
        sse((chunk({"content": "Hal"}),), done=False),
        sse(()),
        sse((chunk({"content": "Hal"}),), done=False) + b'data: {"id',
        sse((calls(piece(0, "a", "", "{}")), END)),
        b'{"id": "c1", "choi',
    ],
    ids=["no finish reason", "only [DONE]", "half a frame", "a call without a name", "half a document"],
)
def test_what_stops_short_is_broken(body: bytes) -> None:
    """No ending is invented."""
    assert isinstance(failure(body), UpstreamBroken)


def test_done_without_a_reason_is_an_end() -> None:
    """The server said that it had finished; what it gave tells how."""
    assert answer(chunk({"content": "Hi"}))[-1] == Finish("stop")
    assert answer(calls(piece(0, "a", "f", "{}")))[-1] == Finish("tool_calls")


def test_an_error_document_behind_the_frames_is_the_error() -> None:
    """A server that writes bare JSON when it fails is understood."""
    error = failure(sse((chunk({"content": "Hal"}),), done=False) + b'{"object": "error", "message": "Worker died."}\n')
    assert "Worker died." in error.message


def test_nothing_is_read_behind_the_end() -> None:
    """After ``[DONE]`` the parser is deaf."""
    parser = stream_parser(WireRequest(url="", body=b"", headers={}), "")
    assert parser.feed(sse((END,)))[-1] == Finish("stop")
    assert parser.feed(b"nonsense") == []
    assert parser.end() == []
    assert parser.replay == {}


EVERYTHING: tuple[Frame, ...] = (
    chunk(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}, {"type": "text", "text": "b"}]}
    ),
    calls(piece(0, "a", "f", "{"), piece(None, "b", "g", {"a": 1})),
    calls(piece(0, None, "", "}")),
    chunk({"content": "c"}, "tool_calls", usage={"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}),
)


def damaged(value: Any, bad: Any) -> list[Any]:
    """The value with one part after the other replaced."""
    versions = [bad]
    if isinstance(value, dict):
        versions += [{**value, key: other} for key, part in value.items() for other in damaged(part, bad)]
    if isinstance(value, list):
        versions += [
            [*value[:at], other, *value[at + 1 :]] for at, part in enumerate(value) for other in damaged(part, bad)
        ]
    return versions


@pytest.mark.parametrize("bad", [None, True, 7, -1, 1.5, "", "x", [], [1], [[]], {}, {"a": 1}, {"type": []}], ids=repr)
def test_no_value_in_any_place_breaks_the_parser(bad: Any) -> None:
    """Whatever a provider writes where, the parser gives events or an error of the provider's."""
    for at, frame in enumerate(EVERYTHING):
        for version in damaged(frame, bad):
            with suppress(UpstreamError):
                read(sse((*EVERYTHING[:at], version, *EVERYTHING[at + 1 :])))
            with suppress(UpstreamError):
                read(json.dumps(version).encode())
