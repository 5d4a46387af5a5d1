"""Answers of the Messages API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from piproxy import jsontext
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
from piproxy.toolids import ANTHROPIC, IdMap
from piproxy.wire.anthropic_messages.notes import Notes
from piproxy.wire.anthropic_messages.stream import MessageParser, stream_parser
from piproxy.wire.room import WireRequest

START = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


def end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def stop(reason: str | None = "end_turn", **more: Any) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason, **more}, "usage": {"output_tokens": 5}}, STOP]


def sse(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {event.get('type')}\ndata: ".encode() + jsontext.dump(event) + b"\n\n" for event in events)


def parser(notes: Notes | None = None) -> MessageParser:
    return stream_parser(WireRequest(url="", body=b"", headers={}, notes=notes), "text/event-stream")


def read(*events: dict[str, Any], notes: Notes | None = None) -> list[Event]:
    """The events of a stream between message_start and its end, Started and Usage left out."""
    reader = parser(notes)
    found = [*reader.feed(sse([START, *events])), *reader.end()]
    return [event for event in found if not isinstance(event, Started | Usage)]


def test_a_whole_answer() -> None:
    """Text comes piece by piece, pings and unknown events change nothing, and the end brings usage and reason."""
    reader = parser()
    events: list[dict[str, Any]] = [
        START,
        PING,
        begin(0, type="text", text=""),
        delta(0, "text_delta", text="Hel"),
        {"type": "new"},
    ]
    events += [delta(0, "text_delta", text="lo \n"), delta(0, "citations_delta", citation={}), end(0), *stop()]
    assert [*reader.feed(sse(events)), *reader.end()] == [
        Started("msg_1", "claude"),
        TextDelta("Hel"),
        TextDelta("lo \n"),
        Usage(input=7, output=5),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([begin(0, type="text", text="A"), delta(0, "text_delta", text="B")], [TextDelta("A"), TextDelta("B")]),
        ([delta(0, "text_delta", text="A"), delta(0, "text_delta", text="B")], [TextDelta("A"), TextDelta("B")]),
        ([delta(0, "thinking_delta", thinking="A"), end(0)], [ReasoningDelta("A")]),
        (
            [
                begin(0, type="server_tool_use", id="s", name="x"),
                delta(0, "input_json_delta", partial_json="{"),
                end(0),
            ],
            [],
        ),
        ([begin(0, type="web_search_tool_result", content=[]), end(0)], []),
        ([begin(0, type="fallback"), end(0), begin(1, type="text", text="A")], [TextDelta("A")]),
        (
            [
                begin(0, type="tool_use", id="t", name="f", input={}),
                delta(0, "input_json_delta", partial_json=""),
                end(0),
            ],
            [ToolCallStart(0, "t", "f")],
        ),
        (
            [begin(0, type="tool_use", id="t", name="f", input={"a": 1}), end(0)],
            [ToolCallStart(0, "t", "f"), ToolCallDelta(0, '{"a":1}')],
        ),
        (
            [
                begin(0, type="tool_use", id="t", name="f", input={"a": 1}),
                delta(0, "input_json_delta", partial_json='{"a": 2}'),
                end(0),
            ],
            [ToolCallStart(0, "t", "f"), ToolCallDelta(0, '{"a": 2}')],
        ),
        (
            [begin(0, type="tool_use", name="f", input={}), begin(1, type="tool_use", id="", name="g", input={"a": 1})],
            [ToolCallStart(0, "toolu_w1_0", "f"), ToolCallStart(1, "toolu_w1_1", "g"), ToolCallDelta(1, '{"a":1}')],
        ),
        (
            [begin(0, type="tool_use", id="t", name="f"), begin(1, type="tool_use", id="t", name="f")],
            [ToolCallStart(0, "t", "f"), ToolCallStart(1, "t-2", "f")],
        ),
    ],
)
def test_blocks(events: list[dict[str, Any]], found: list[Event]) -> None:
    """What the start of a block holds is kept; arguments are byte for byte; ids are made up or told apart."""
    calls = any(isinstance(event, ToolCallStart) for event in found)
    end = stop("tool_use" if calls else "end_turn")
    assert read(*events, *end, notes=Notes(wire_id="w1")) == [*found, Finish("tool_calls" if calls else "stop")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish("stop")),
        ("max_tokens", Finish("length")),
        ("tool_use", Finish("tool_calls")),
        ("stop_sequence", Finish("stop", {"stop_reason": "stop_sequence"})),
        ("pause_turn", Finish("stop", {"stop_reason": "pause_turn"})),
        ("model_context_window_exceeded", Finish("length", {"stop_reason": "model_context_window_exceeded"})),
        ("sensitive", Finish("content_filter", {"stop_reason": "sensitive"})),
        ("never_seen", Finish("stop", {"stop_reason": "never_seen"})),
    ],
)
def test_stop_reasons(reason: str, finish: Finish) -> None:
    """Every stop reason has its word, and what the word does not say is in the detail."""
    assert read(*stop(reason)) == [finish]


def test_a_refusal_keeps_what_was_said() -> None:
    """The text so far stays, and the provider's reasons are the detail."""
    details = {"type": "refusal", "category": "cyber"}
    assert read(begin(0, type="text", text="I"), *stop("refusal", stop_details=details)) == [
        TextDelta("I"),
        Finish("content_filter", {"stop_reason": "refusal", "stop_details": details}),
    ]


def test_thinking_is_shown_and_kept() -> None:
    """Thinking is text for the client, its signature goes to the client as an opaque item, and hidden thinking too."""
    reader = parser(Notes(model="anthropic/claude"))
    events = [
        START,
        begin(0, type="thinking", thinking="A", signature=""),
        delta(0, "thinking_delta", thinking="B"),
        delta(0, "signature_delta", signature="c2"),
        delta(0, "signature_delta", signature="ln"),
        end(0),
        begin(1, type="redacted_thinking", data="aGlk"),
        end(1),
        begin(2, type="text", text="Look."),
        end(2),
        begin(3, type="tool_use", id="t1", name="f"),
        end(3),
        begin(4, type="tool_use", id="t2", name="f"),
        *stop("tool_use"),
    ]
    common = {"format": "anthropic-claude-v1", "model": "anthropic/claude"}
    assert [*reader.feed(sse(events)), *reader.end()][1:5] == [
        ReasoningDelta("A"),
        ReasoningDelta("B"),
        ReasoningOpaque([{"type": "reasoning.text", "text": "AB", "signature": "c2ln", "index": 0, **common}]),
        ReasoningOpaque([{"type": "reasoning.encrypted", "data": "aGlk", "index": 1, **common}]),
    ]
    assert reader.replay == {
        "t1": {
            "model": "anthropic/claude",
            "blocks": [
                {"type": "thinking", "thinking": "AB", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "aGlk"},
                {"type": "text", "text": "Look."},
                {"type": "tool_use", "id": "t1"},
                {"type": "tool_use", "id": "t2"},
            ],
        }
    }


def test_nothing_to_keep() -> None:
    """An answer without thinking, or without calls, leaves nothing to send back."""
    for events in (
        [begin(0, type="tool_use", id="t", name="f"), *stop("tool_use")],
        [begin(0, type="thinking", thinking="A", signature="s"), *stop()],
    ):
        reader = parser()
        reader.feed(sse([START, *events]))
        assert reader.replay == {}


def test_names_and_ids_are_the_clients() -> None:
    """Claude Code's casing and mapped ids are undone."""
    ids = IdMap(ANTHROPIC, ["call|1"])
    notes = Notes(client_names={"bash": "bash"}, ids=ids)
    call = begin(0, type="tool_use", id=ids.to_wire("call|1"), name="Bash")
    assert read(call, *stop("tool_use"), notes=notes) == [ToolCallStart(0, "call|1", "bash"), Finish("tool_calls")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (['{"inp', 'ut": "x = 1\\n"}'], "x = 1\n"),
        (['{"input": "cut'], '{"input": "cut'),
        (['{"a": 1}'], '{"a": 1}'),
        (["[" * 100_000], "[" * 100_000),
    ],
)
def test_free_text_tools(arguments: list[str], text: str) -> None:
    """The text of a custom tool is taken out of the arguments that carried it; what cannot be is given as it is."""
    pieces = [delta(0, "input_json_delta", partial_json=piece) for piece in arguments]
    notes = Notes(custom=frozenset(("run",)))
    assert read(begin(0, type="tool_use", id="t", name="run"), *pieces, end(0), *stop("tool_use"), notes=notes) == [
        ToolCallStart(0, "t", "run", custom=True),
        ToolCallDelta(0, text),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence", "pause_turn"])
def test_an_answer_with_calls_waits_for_their_results(reason: str) -> None:
    """Gateways that end a turn with calls in it in other words do not make the client pass over them."""
    found = read(begin(0, type="tool_use", id="t", name="look"), end(0), *stop(reason))
    assert isinstance(found[-1], Finish)
    assert found[-1].reason == "tool_calls"


def test_words_in_a_block_of_another_kind() -> None:
    """What gateways say without announcing it is still said, in its order and as what it is."""
    thought = [
        begin(0, type="thinking"),
        delta(0, "thinking_delta", thinking="A"),
        delta(0, "signature_delta", signature="s"),
    ]
    said = [
        delta(0, "text_delta", text="B"),
        delta(0, "text_delta", text="C"),
        delta(0, "thinking_delta", thinking="D"),
    ]
    found = read(*thought, *said, end(0), *stop())
    assert [event for event in found if not isinstance(event, ReasoningOpaque)] == [
        ReasoningDelta("A"),
        TextDelta("B"),
        TextDelta("C"),
        ReasoningDelta("D"),
        Finish("stop"),
    ]
    assert isinstance(found[1], ReasoningOpaque)


def test_the_answer_tool_speaks() -> None:
    """Arguments of the made-up tool are the answer's text, and the answer simply ends."""
    notes = Notes(answer_tool="answer")
    call = [begin(0, type="tool_use", id="t", name="answer"), delta(0, "input_json_delta", partial_json='{"a": 1}')]
    assert read(*call, end(0), *stop("tool_use"), notes=notes) == [TextDelta('{"a": 1}'), Finish("stop")]
    other = [begin(1, type="tool_use", id="u", name="look"), end(1)]
    assert read(*call, end(0), *other, *stop("tool_use"), notes=notes)[-2:] == [
        ToolCallStart(0, "u", "look"),
        Finish("tool_calls"),
    ]
    empty = begin(0, type="tool_use", id="t", name="answer", input={})
    assert read(empty, *stop("tool_use"), notes=notes) == [TextDelta("{}"), Finish("stop")]


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude",
    "content": [
        {"type": "text", "text": "A"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1.5, "ä"]}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 4},
}
FOUND = [
    Started("msg_1", "claude"),
    TextDelta("A"),
    ToolCallStart(0, "t", "f"),
    ToolCallDelta(0, '{"a":[1.5,"ä"]}'),
    Usage(input=3, output=4),
    Finish("tool_calls"),
]


def test_one_document() -> None:
    """A provider that does not stream answers with the whole message."""
    reader = parser()
    assert reader.feed(jsontext.dump(MESSAGE)) == []
    assert list(reader.end()) == FOUND


def test_a_whole_message_in_message_start() -> None:
    """Some endpoints put finished blocks into the first event."""
    reader = parser()
    assert list(reader.feed(sse([{"type": "message_start", "message": MESSAGE}, STOP]))) == FOUND


ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("overloaded_error", 503, "provider_overloaded"),
        ("rate_limit_error", 429, "rate_limit_exceeded"),
        ("invalid_request_error", 400, None),
        ("timeout_error", 504, "timeout"),
        ("api_error", 502, "upstream_error"),
        ("billing_error", 429, "insufficient_quota"),
        ("authentication_error", 502, "upstream_auth_error"),
    ],
)
def test_errors_inside_the_stream(error: str, status: int, code: str | None) -> None:
    """An ``error`` event has no HTTP status: its type tells. What came before it is not lost."""
    reader = parser()
    event = {"type": "error", "error": {"type": error, "message": "The words."}}
    with pytest.raises(ProviderError, match="The words") as raised:
        reader.feed(sse([START, begin(0, type="text", text="A"), event]))
    assert (raised.value.status, raised.value.code, raised.value.upstream_status) == (status, code, None)
    assert raised.value.events == (Started("msg_1", "claude"), TextDelta("A"))


@pytest.mark.parametrize(
    "body",
    [
        jsontext.dump(ERROR),
        jsontext.dump({"error": ERROR["error"]}),
        b"event: error\ndata: Overloaded\n\n",
        b"data: " + jsontext.dump({"error": ERROR["error"]}) + b"\n\n",
        sse([START]) + jsontext.dump(ERROR) + b"\n",
    ],
)
def test_errors_in_other_places(body: bytes) -> None:
    """As a document with status 200, as text, without a type, or bare behind the stream."""
    reader = parser()
    with pytest.raises(ProviderError, match="Overloaded"):
        reader.feed(body)
        reader.end()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no message"),
        (b"<html></html>", "no message"),
        (sse([START]), "before message_stop"),
        (sse([START, begin(0, type="text", text="A"), end(0), stop()[0]]), "before message_stop"),
        (sse([START, STOP]), "without a stop reason"),
        (sse([START, *stop(None)]), "without a stop reason"),
        (sse([START, {**STOP, "type": "content_block_stop"}]), "which"),
        (sse([{"type": "message_start", "message": "x"}]), "without a message"),
        (sse([START, begin(0, type="tool_use", id="t", name="")]), "without a name"),
        (sse([START, delta(0, "input_json_delta", partial_json="{}")]), "never began"),
        (sse([START, {"type": "content_block_delta", "index": 0}]), "which"),
        (sse([START, {"type": "content_block_start", "index": 0}]), "which"),
        (sse([START, begin(0, type="text", text="A"), begin(1, type="fallback")]), "another model"),
        (b"data: {oops\n\n", "not JSON"),
        (b"data: 7\n\n", "no object|not an object"),
        (b'{"content": [', "not complete JSON"),
        (b'{"content": []}', "no message"),
        (b'{"content": "A", "stop_reason": "end_turn"}', "no message"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "not JSON"),
    ],
)
def test_nonsense(body: bytes, word: str) -> None:
    """What is no complete message is an error and never a finish."""
    reader = parser()
    with pytest.raises(UpstreamBroken, match=word):
        reader.feed(body)
        reader.end()


def test_bytes_after_the_end() -> None:
    """Once the message is complete, nothing adds to it."""
    reader = parser()
    found = reader.feed(sse([START, *stop(), ERROR, begin(0, type="text", text="A")]) + b"data: [DONE]\n\n")
    assert found[-1] == Finish("stop")
    assert list(reader.end()) == []


def test_a_last_event_without_its_blank_line() -> None:
    """The end of the connection ends the event, too."""
    reader = parser()
    assert list(reader.feed(sse([START, *stop()])[:-2])) == [Started("msg_1", "claude")]
    assert list(reader.end()) == [Usage(input=7, output=5), Finish("stop")]


def test_server_tools_are_not_kept() -> None:
    """What the provider did by itself is no part of the message that comes back."""
    reader = parser()
    thought = begin(0, type="thinking", thinking="A", signature="s")
    search = begin(1, type="server_tool_use", id="s", name="web_search")
    reader.feed(sse([START, thought, search, begin(2, type="tool_use", id="t", name="f"), *stop("tool_use")]))
    assert [block["type"] for block in reader.replay["t"]["blocks"]] == ["thinking", "tool_use"]
