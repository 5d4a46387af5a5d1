"""ConverseStream's answers as events."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from fakes.eventstream import error, event, exception, raw, text

from piproxy.chat import Chat, UserMessage
from piproxy.errors import ProviderError, UpstreamBroken
from piproxy.events import (
    Event,
    Finish,
    ReasoningDelta,
    ReasoningOpaque,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.jsontext import Json
from piproxy.wire.bedrock_converse.stream import Notes, stream_parser
from piproxy.wire.room import StreamParser, WireRequest

START = event("messageStart", {"role": "assistant"})


def parser(notes: Notes | None = None) -> StreamParser:
    return stream_parser(WireRequest(url="", body=b"", headers={}, notes=notes), "application/vnd.amazon.eventstream")


def delta(index: int, **what: Json) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": what, "p": "abcdef"})


def call(index: int, id: str, name: str, **more: Json) -> bytes:
    use = {"toolUseId": id, "name": name, **more}
    return event("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": use}})


def stop(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


def end(reason: str = "end_turn") -> bytes:
    return event("messageStop", {"stopReason": reason})


def read(*messages: bytes, notes: Notes | None = None) -> Sequence[Event]:
    parse = parser(notes)
    events = [*parse.feed(b"".join((START, *messages))), *parse.end()]
    return [event for event in events if not (isinstance(event, Usage) and event.estimated)]


def test_an_answer_with_text_and_usage() -> None:
    """Text blocks have no start, usage comes after the stop, and the finish with it."""
    usage = {
        "inputTokens": 5,
        "outputTokens": 7,
        "totalTokens": 30,
        "cacheReadInputTokens": 10,
        "cacheWriteInputTokens": 8,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 6}, {"ttl": "5m", "inputTokens": 2}],
    }
    events = read(
        delta(0, text="A ß"),
        delta(0, text=""),
        delta(0, text="\n"),
        stop(0),
        end(),
        event("metadata", {"usage": usage}),
    )
    assert events == [
        Started(),
        TextDelta("A ß"),
        TextDelta("\n"),
        Usage(input=5, output=7, cache_read=10, cache_write=8, cache_write_1h=6, total=30),
        Finish("stop"),
    ]


def test_metadata_may_be_missing() -> None:
    """The stop alone completes the answer."""
    assert read(delta(0, text="a"), stop(0), end()) == [Started(), TextDelta("a"), Finish("stop")]


def test_usage_that_nobody_counted_is_estimated() -> None:
    """By the characters of prompt and answer, and marked as such."""
    parse = parser(Notes(prompt=Chat(model="m", messages=(UserMessage("x" * 70),))))
    parse.feed(START + delta(0, reasoningContent={"text": "1234567"}) + delta(1, text="1234567") + call(2, "t", "f"))
    parse.feed(delta(2, toolUse={"input": '{"a": 1234567}'}))
    estimate = Usage(input=20, output=8, reasoning=2, estimated=True)
    assert [*parse.feed(end()), *parse.end()][-2:] == [estimate, Finish("tool_calls")]


def test_nothing_counts_after_the_finish() -> None:
    """What follows the metadata is not looked at, not even a message that is cut off."""
    parse = parser()
    counted = event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}})
    given = parse.feed(START + end() + counted + delta(0, text="late") + START[:20])
    assert given == [Started(), Usage(input=1, output=2), Finish("stop")]
    assert parse.end() == []


def test_calls_keep_their_argument_text() -> None:
    """Pieces pass byte for byte; a call without any argument text gets an empty object."""
    events = read(
        call(3, "t1", "f"),
        delta(3, toolUse={"input": ""}),
        delta(3, toolUse={"input": '{"a" : '}),
        call(4, "t2", "g"),
        delta(3, toolUse={"input": "1.0}"}),
        stop(3),
        stop(4),
        end("tool_use"),
    )
    assert events == [
        Started(),
        ToolCallStart(0, "t1", "f"),
        ToolCallDelta(0, '{"a" : '),
        ToolCallStart(1, "t2", "g"),
        ToolCallDelta(0, "1.0}"),
        ToolCallDelta(1, "{}"),
        Finish("tool_calls"),
    ]


def test_an_end_of_turn_after_calls_is_tool_calls() -> None:
    """Some models say ``end_turn`` although they wait for results."""
    assert read(call(0, "t", "f"), end())[-1] == Finish("tool_calls")


def test_the_servers_own_tools_do_not_show() -> None:
    """Neither the call nor its result is the client's business."""
    result = event("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s"}}})
    events = read(
        call(0, "s", "web", type="server_tool_use"),
        delta(0, toolUse={"input": "{}"}),
        stop(0),
        result,
        delta(1, text="found", toolResult=[{"text": "found"}]),
        stop(1),
        delta(2, citation={"title": "x"}),
        delta(2, text="a"),
        end(),
    )
    assert events == [Started(), TextDelta("a"), Finish("stop")]


def test_a_free_text_tool_gives_its_text_when_it_is_whole() -> None:
    """The object that carries the input of a custom tool does not show."""
    events = read(
        call(0, "t", "patch"),
        delta(0, toolUse={"input": '{"input": "*** Be'}),
        delta(0, toolUse={"input": 'gin\\n"}'}),
        stop(0),
        end("tool_use"),
        notes=Notes("m", frozenset({"patch"})),
    )
    assert events[1:3] == [ToolCallStart(0, "t", "patch", custom=True), ToolCallDelta(0, "*** Begin\n")]


def test_signed_thinking_is_remembered_with_the_whole_turn() -> None:
    """The memory holds what must go back, in its order, under the first call."""
    parse = parser(Notes("model-1"))
    events = parse.feed(
        START
        + delta(0, reasoningContent={"text": "Hm"})
        + delta(0, reasoningContent={"text": "."})
        + delta(0, reasoningContent={"signature": "c2"})
        + delta(0, reasoningContent={"signature": "ln"})
        + stop(0)
        + delta(1, text="Look.")
        + stop(1)
        + call(2, "t1", "f")
        + stop(2)
        + call(3, "t2", "f")
        + end("tool_use")
    )
    assert events[1:3] == [ReasoningDelta("Hm"), ReasoningDelta(".")]
    block = {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}
    assert isinstance(events[3], ReasoningOpaque)
    assert events[3].value["data"] == block
    parse.end()
    layout = [{"reasoningContent": block}, {"text": "Look."}, {"toolUse": "t1"}, {"toolUse": "t2"}]
    assert parse.replay == {"t1": {"model": "model-1", "blocks": layout}}


def test_encrypted_thinking_is_put_together() -> None:
    """Pieces of base64 are joined as bytes, and nothing of it shows."""
    pieces = [base64.b64encode(piece).decode() for piece in (b"a", b"bc", b"\xff")]
    parse = parser(Notes("m"))
    deltas = b"".join(delta(0, reasoningContent={"redactedContent": piece}) for piece in pieces)
    events = parse.feed(START + deltas + stop(0) + call(1, "t", "f") + stop(1) + end("tool_use"))
    parse.end()
    whole = {"redactedContent": base64.b64encode(b"abc\xff").decode()}
    assert isinstance(events[1], ReasoningOpaque)
    assert parse.replay["t"]["blocks"][0] == {"reasoningContent": whole}


def test_unsigned_thinking_is_not_remembered() -> None:
    """Without a signature nothing can prove itself later."""
    parse = parser()
    parse.feed(
        START + delta(0, reasoningContent={"text": "Hm"}) + stop(0) + call(1, "t", "f") + stop(1) + end("tool_use")
    )
    parse.end()
    assert parse.replay == {}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
    ],
)
def test_stop_reasons(reason: str, finish: str) -> None:
    """Each has its finish reason, and the text is kept."""
    events = read(delta(0, text="a"), end(reason))
    assert events[1] == TextDelta("a")
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == finish


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use", "something_new", None])
def test_failed_answers_are_errors(reason: str | None) -> None:
    """A stop that is no end is a 502 that names it."""
    with pytest.raises(ProviderError, match=str(reason)) as failure:
        read(end(reason))  # type: ignore[arg-type]
    assert failure.value.status == 502


def test_an_exception_takes_along_what_was_said() -> None:
    """Text in front of it in the same bytes is not lost."""
    with pytest.raises(ProviderError, match="Slow down") as failure:
        read(delta(0, text="a"), exception("throttlingException", {"message": "Slow down."}))
    assert failure.value.status == 429
    assert failure.value.events == (Started(), TextDelta("a"))


def test_an_error_message_has_no_payload() -> None:
    """Its words stand in headers."""
    with pytest.raises(ProviderError, match="Sorry") as failure:
        read(error("InternalFailure", "Sorry."))
    assert failure.value.status == 502


@pytest.mark.parametrize(
    "message",
    [
        raw(b"{", text(":event-type", "metadata") + text(":message-type", "event")),
        raw(b"[]", text(":event-type", "metadata") + text(":message-type", "event")),
        call(0, "", "f"),
        call(0, "t", ""),
        delta(0, reasoningContent={"redactedContent": "!"}),
        START[:-1] + b"\x00",
    ],
)
def test_what_cannot_be_read_is_broken(message: bytes) -> None:
    """Bad JSON, nameless calls and wrong checksums end the answer."""
    with pytest.raises(UpstreamBroken):
        read(message)


@pytest.mark.parametrize("messages", [b"", START, START + delta(0, text="a") + stop(0), START + end()[:-5]])
def test_an_answer_without_a_stop_stopped_short(messages: bytes) -> None:
    """A connection that closes early never becomes a ``stop``."""
    parse = parser()
    parse.feed(messages)
    with pytest.raises(UpstreamBroken):
        parse.end()


def test_events_that_come_later_are_passed_over() -> None:
    """AWS may add events."""
    assert read(event("somethingNew", {"a": 1}), delta(0, text="a"), end())[1:] == [TextDelta("a"), Finish("stop")]


def test_a_block_that_begins_again() -> None:
    """A block whose end is missing ends where the next one of its index begins: its input is not lost."""
    first, second = call(0, "a", "run"), call(0, "b", "look")
    events = read(
        first, delta(0, toolUse={"input": '{"input":"x"}'}), second, stop(0), end("tool_use"),
        notes=Notes(custom=frozenset(("run",))),
    )  # fmt: skip
    assert events[1:] == [
        ToolCallStart(0, "a", "run", custom=True),
        ToolCallDelta(0, "x"),
        ToolCallStart(1, "b", "look"),
        ToolCallDelta(1, "{}"),
        Finish("tool_calls"),
    ]
