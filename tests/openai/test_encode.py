"""Chunks and whole answers, checked with openai-python's own types and accumulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion

from piproxy.errors import UpstreamBroken
from piproxy.events import (
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    ReasoningDelta,
    ReasoningOpaque,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.openai.encode import Fold, StreamEncoder

TOKENS: dict[str, Any] = {
    "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}],
    "refusal": None,
}
EVERYTHING: list[Event] = [
    Started("upstream-1", "m-2026"),
    ReasoningDelta("Let me "),
    ReasoningDelta("think."),
    ReasoningOpaque([{"type": "reasoning.text", "signature": "c2ln"}]),
    TextDelta("Hi"),
    LogprobsDelta(TOKENS),
    TextDelta(" there\n"),
    ToolCallStart(0, "call_a", "get", extra_content={"google": {"thought_signature": "c2ln"}}),
    ToolCallDelta(0, '{"n": 1.0,'),
    ToolCallStart(1, "call_b", "now"),
    ToolCallDelta(0, ' "big": 12345678901234567890}'),
    Usage(input=10, output=7, cache_read=100, cache_write=5, reasoning=3),
    Finish("stop"),
]


def _stream(*, include_usage: bool = False, opaque: bool = False, cost: float | None = None) -> StreamEncoder:
    return StreamEncoder(
        id="chatcmpl-1",
        model="demo/m",
        created=1_700_000_000,
        include_usage=include_usage,
        price=lambda _: cost,
        opaque=opaque,
    )


def _fold(*, opaque: bool = False, cost: float | None = None) -> Fold:
    return Fold(
        id="chatcmpl-1",
        model="demo/m",
        created=1_700_000_000,
        include_usage=False,
        price=lambda _: cost,
        opaque=opaque,
    )


def _chunks(frames: bytes) -> list[dict[str, Any]]:
    """The JSON of every ``data:`` frame; the last frame must be ``[DONE]``."""
    blocks = frames.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    assert blocks.pop() == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def _deltas(frames: bytes) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in _chunks(frames) if chunk["choices"]]


def _accumulated(frames: bytes) -> ParsedChatCompletion[None]:
    state = ChatCompletionStreamState()
    for chunk in _chunks(frames):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    return state.get_final_completion()


def _whole(events: list[Event], **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_fold(**options).feed(events))
    ChatCompletion.model_validate(answer, strict=True)
    return answer


@pytest.mark.parametrize("opaque", [False, True])
def test_the_official_accumulator_rebuilds_what_the_fold_says(opaque: bool) -> None:
    """A stream accumulated by openai-python equals the non-streaming answer in every field."""
    whole = _whole(EVERYTHING, cost=0.25, opaque=opaque)
    frames = _stream(include_usage=True, cost=0.25, opaque=opaque).feed(EVERYTHING)
    rebuilt = _accumulated(frames).model_dump(exclude_none=True)
    message, expected = rebuilt["choices"][0]["message"], whole["choices"][0]["message"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [
        call["function"]["arguments"] for call in expected["tool_calls"]
    ]
    for key in ("role", "content", "reasoning_content", "reasoning_details"):
        assert message.get(key) == expected.get(key)
    assert rebuilt["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "tool_calls"
    assert rebuilt["choices"][0]["logprobs"]["content"] == whole["choices"][0]["logprobs"]["content"]
    assert rebuilt["usage"] == whole["usage"]
    assert (rebuilt["id"], rebuilt["model"], rebuilt["created"]) == (whole["id"], whole["model"], whole["created"])


def test_every_cut_of_the_events_gives_the_same_bytes() -> None:
    """It does not matter how the events were grouped."""
    whole = _stream(include_usage=True).feed(EVERYTHING)
    encoder = _stream(include_usage=True)
    assert b"".join(encoder.feed([event]) for event in EVERYTHING) == whole
    fold = _fold()
    pieces = [fold.feed([event]) for event in EVERYTHING]
    assert not any(pieces[:-1])
    assert pieces[-1] == _fold().feed(EVERYTHING)


def test_the_first_chunk_alone_has_the_role() -> None:
    """The role comes once, with empty content, as soon as the provider began."""
    encoder = _stream()
    first = encoder.feed([Started()])
    assert json.loads(first.removeprefix(b"data: ")) == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "demo/m",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        ],
    }
    rest = encoder.feed([TextDelta("a"), Finish("stop")])
    assert b"role" not in rest
    assert [delta.get("content") for delta in _deltas(rest)] == ["a", None]


def test_a_tool_call_names_itself_once() -> None:
    """``id``, ``type`` and ``name`` come with the first delta of an index only, and ``extra_content`` with them."""
    calls = [delta["tool_calls"][0] for delta in _deltas(_stream().feed(EVERYTHING)) if "tool_calls" in delta]
    assert calls == [
        {
            "index": 0,
            "id": "call_a",
            "type": "function",
            "function": {"name": "get", "arguments": ""},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        },
        {"index": 0, "function": {"arguments": '{"n": 1.0,'}},
        {"index": 1, "id": "call_b", "type": "function", "function": {"name": "now", "arguments": ""}},
        {"index": 0, "function": {"arguments": ' "big": 12345678901234567890}'}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_argument_text_is_not_parsed() -> None:
    """Big integers, ``1.0`` and cut-off JSON come out as they came in, streamed or folded."""
    text = '{"a": 12345678901234567890, "b": 1.0, "c": [1,'
    events: list[Event] = [Started(), ToolCallStart(0, "c", "f"), ToolCallDelta(0, text), Finish("length")]
    assert _whole(events)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == text
    assert _deltas(_stream().feed(events))[2]["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize(
    ("reason", "first", "second"),
    [("stop", "{}", "{}"), ("tool_calls", "{}", "{}"), ("length", "{}", ""), ("content_filter", "{}", "")],
)
def test_a_call_without_arguments_gets_an_empty_object(reason: FinishReason, first: str, second: str) -> None:
    """A function call that ended with no argument text has ``{}``; one that was cut short keeps its nothing."""
    events: list[Event] = [
        Started(),
        ToolCallStart(0, "a", "f"),
        ToolCallDelta(0, ""),
        ToolCallStart(1, "b", "g"),
        Finish(reason),
    ]
    calls = _whole(events)["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == [first, second]
    streamed = ["", ""]
    for delta in _deltas(_stream().feed(events)):
        for call in delta.get("tool_calls", ()):
            streamed[call["index"]] += call["function"]["arguments"]
    assert streamed == [first, second]


def test_a_custom_tool_gets_its_input_as_text() -> None:
    """A custom tool's call has ``custom.input``, and no ``{}`` is made up for it."""
    events: list[Event] = [
        Started(),
        ToolCallStart(0, "a", "patch", custom=True),
        ToolCallDelta(0, "*** Begin"),
        ToolCallStart(1, "b", "shell", custom=True),
        Finish("tool_calls"),
    ]
    assert _whole(events)["choices"][0]["message"]["tool_calls"] == [
        {"id": "a", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
        {"id": "b", "type": "custom", "custom": {"name": "shell", "input": ""}},
    ]
    deltas = [delta["tool_calls"][0] for delta in _deltas(_stream().feed(events)) if "tool_calls" in delta]
    assert deltas == [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 0, "custom": {"input": "*** Begin"}},
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "shell", "input": ""}},
    ]


@pytest.mark.parametrize(
    ("said", "called", "shown"),
    [
        ("stop", True, "tool_calls"),
        ("stop", False, "stop"),
        ("length", True, "length"),
        ("content_filter", True, "content_filter"),
        ("tool_calls", True, "tool_calls"),
        ("tool_calls", False, "tool_calls"),
    ],
)
def test_the_finish_reason_says_that_tools_were_called(said: FinishReason, called: bool, shown: str) -> None:
    """``stop`` becomes ``tool_calls`` when there were calls; nothing else is changed."""
    events: list[Event] = [Started(), *([ToolCallStart(0, "a", "f")] if called else []), Finish(said)]
    encoder, fold = _stream(), _fold()
    assert _chunks(encoder.feed(events))[-1]["choices"][0]["finish_reason"] == shown
    assert json.loads(fold.feed(events))["choices"][0]["finish_reason"] == shown
    assert encoder.finish == fold.finish == shown
    assert encoder.done
    assert fold.done


def test_usage_comes_only_when_asked() -> None:
    """Asked: ``null`` on every chunk, then one chunk without choices. Not asked: no such key anywhere."""
    asked = _chunks(_stream(include_usage=True).feed(EVERYTHING))
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["total_tokens"] == 122
    assert [chunk["usage"] for chunk in asked[:-1]] == [None] * (len(asked) - 1)
    assert not any("usage" in chunk for chunk in _chunks(_stream().feed(EVERYTHING)))


def test_usage_that_nobody_told_is_not_made_up() -> None:
    """Without numbers from the provider there is no usage chunk and no ``usage`` key."""
    events: list[Event] = [Started(), TextDelta("a"), Finish("stop")]
    assert all(chunk["choices"] for chunk in _chunks(_stream(include_usage=True).feed(events)))
    assert "usage" not in _whole(events)


def test_the_encoders_keep_usage_for_the_log() -> None:
    """``usage`` is there for the exchange, asked for or not, and before the end."""
    usage = Usage(input=1, output=2)
    for encoder in (_stream(), _fold()):
        assert encoder.usage is None
        encoder.feed([Started(), usage])
        assert encoder.usage == usage
        assert not encoder.done


def test_reasoning_and_refusal_have_their_own_fields() -> None:
    """Thinking is ``reasoning_content``, a refusal is ``refusal``, and content without text is null."""
    events: list[Event] = [Started(), ReasoningDelta("hm"), RefusalDelta("I can"), RefusalDelta("not."), Finish("stop")]
    message = _whole(events)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": None, "refusal": "I cannot.", "reasoning_content": "hm"}
    assert _deltas(_stream().feed(events))[1:] == [
        {"reasoning_content": "hm"},
        {"refusal": "I can"},
        {"refusal": "not."},
        {},
    ]


def test_opaque_thinking_is_hidden_unless_wanted() -> None:
    """Signed thinking is shown on demand only, each item once and with an index of its own."""
    events: list[Event] = [
        Started(),
        ReasoningOpaque([{"type": "reasoning.text", "text": "a", "index": 7}]),
        ReasoningOpaque("just a signature"),
        ReasoningOpaque({"type": "reasoning.encrypted", "data": "x"}),
        Finish("stop"),
    ]
    expected = [
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]
    assert b"reasoning" not in _stream().feed(events)
    assert b"reasoning" not in _fold().feed(events).replace(b"reasoning_tokens", b"")
    assert _whole(events, opaque=True)["choices"][0]["message"]["reasoning_details"] == expected
    rebuilt = _accumulated(_stream(opaque=True).feed(events)).choices[0].message.model_dump()
    assert rebuilt["reasoning_details"] == expected


def test_logprobs_are_joined() -> None:
    """The fold joins the tokens of all chunks."""
    events: list[Event] = [Started(), LogprobsDelta(TOKENS), LogprobsDelta(TOKENS), LogprobsDelta(None), Finish("stop")]
    assert _whole(events)["choices"][0]["logprobs"] == {"content": TOKENS["content"] * 2, "refusal": None}
    assert _whole([Started(), Finish("stop")])["choices"][0]["logprobs"] is None


def test_text_is_written_byte_for_byte() -> None:
    """White space, control characters, quotes, U+2028 and emoji arrive as they were sent."""
    text = ' \n\t"\\\x00\u2028é😀</script> '
    events: list[Event] = [Started(), TextDelta(text), Finish("stop")]
    assert _whole(events)["choices"][0]["message"]["content"] == text
    frames = _stream().feed(events)
    assert _deltas(frames)[1]["content"] == text
    assert len(frames.splitlines()) == 8


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta, RefusalDelta, lambda text: ToolCallDelta(0, text)])
def test_a_pair_that_a_provider_split_is_one_character_again(kind: Callable[[str], Event]) -> None:
    """Its first half waits for the second one, whatever is said elsewhere meanwhile; no client has to read a half."""
    pieces = ["a\ud83d", "\ude00\ud83d", "\ude01", "b😀"]
    elsewhere = ReasoningDelta("hm ") if kind is TextDelta else TextDelta("hm ")
    events: list[Event] = [Started(), ToolCallStart(0, "c", "f")]
    events += [event for piece in pieces for event in (kind(piece), elsewhere)]
    frames = _stream().feed([*events, Finish("stop")])
    assert b"\\ud" not in frames
    deltas = _deltas(frames)
    for delta in deltas:
        delta.update(delta.pop("tool_calls", [{"function": {}}])[0]["function"])
    said = ["".join(delta.get(name) or "" for delta in deltas) for name in ("content", "reasoning_content", "refusal")]
    said += ["".join(delta.get("arguments", "") for delta in deltas)]
    assert "a😀😁b😀" in said


def test_half_a_character_is_told_as_it_is() -> None:
    """The second half never came: what there is of it is escaped, in its order, and the frame is UTF-8."""
    events: list[Event] = [
        Started(),
        TextDelta("a\ud83d"),
        ReasoningDelta("\ud83d"),
        TextDelta("b\ud83d"),
        Finish("stop"),
    ]
    deltas = [chunk["choices"][0]["delta"] for chunk in _chunks(_stream().feed(events))]
    assert "".join(delta.get("content", "") for delta in deltas) == "a\ud83db\ud83d"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "\ud83d"
    whole = json.loads(_fold().feed(events))["choices"][0]["message"]
    assert (whole["content"], whole["reasoning_content"]) == ("a\ud83db\ud83d", "\ud83d")


def test_an_empty_delta_makes_no_chunk() -> None:
    """Providers send empty deltas; clients need none of them."""
    events: list[Event] = [Started(), TextDelta(""), ReasoningDelta(""), RefusalDelta(""), Finish("stop")]
    assert _deltas(_stream().feed(events)) == [{"role": "assistant", "content": ""}, {}]


def test_an_error_ends_the_stream_with_one_frame() -> None:
    """After the first byte an error is one ``error`` frame and then ``[DONE]``; nothing follows it."""
    encoder = _stream(include_usage=True)
    encoder.feed([Started(), TextDelta("Half")])
    frames = encoder.fail(UpstreamBroken("The answer stopped short."))
    assert _chunks(frames) == [
        {
            "error": {
                "message": "The answer stopped short.",
                "type": "server_error",
                "param": None,
                "code": "upstream_protocol_error",
            }
        }
    ]
    assert encoder.done
    assert encoder.finish is None
    assert encoder.feed([TextDelta("x"), Finish("stop")]) == b""
    assert encoder.fail(UpstreamBroken("Again.")) == b""
    assert encoder.keep_alive() == b""


def test_an_error_ends_a_fold_with_the_error_object() -> None:
    """The fold has the same interface, and nothing of the half answer is shown."""
    fold = _fold()
    fold.feed([Started(), TextDelta("Half")])
    assert fold.keep_alive() == b""
    body = json.loads(fold.fail(UpstreamBroken("The answer stopped short.")))
    assert body["error"]["code"] == "upstream_protocol_error"
    assert fold.done
    assert fold.feed([Finish("stop")]) == b""
    assert fold.fail(UpstreamBroken("Again.")) == b""


def test_a_keep_alive_is_a_comment() -> None:
    """Our own news never go into ``data:``: AI-SDK clients break on it."""
    assert _stream().keep_alive() == b": keep-alive\n\n"


def test_nothing_follows_the_end() -> None:
    """Events after ``Finish`` are not written."""
    encoder = _stream()
    frames = encoder.feed([Started(), Finish("stop"), TextDelta("late")])
    assert frames.endswith(b"data: [DONE]\n\n")
    assert b"late" not in frames
    assert encoder.feed([TextDelta("later")]) == b""
