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
from piproxy.wire.openai_responses.notes import Notes
from piproxy.wire.openai_responses.stream import ResponsesParser, stream_parser
from piproxy.wire.room import WireRequest

Frame = dict[str, Any]
STARTED = Started("resp_1", "gpt-5.6")
CREATED: Frame = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5.6", "status": "in_progress"}}


def end(status: str = "completed", output: tuple[Frame, ...] = (), **members: Any) -> Frame:
    return {"type": f"response.{status}", "response": {"status": status, "output": list(output), **members}}


def added(index: int, **item: Any) -> Frame:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, **item: Any) -> Frame:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(kind: str, text: str, index: int = 0, **members: Any) -> Frame:
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": text, **members}


def call(id: str = "call_1", name: str = "f", arguments: str = "") -> Frame:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


def message(*parts: Frame) -> Frame:
    return {"type": "message", "content": list(parts)}


def output_text(text: str) -> Frame:
    return {"type": "output_text", "text": text}


def sse(frames: tuple[Frame, ...]) -> bytes:
    return b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)


def read(body: bytes, notes: Notes | None = None, *, step: int | None = None) -> tuple[list[Event], ResponsesParser]:
    parser = ResponsesParser(notes or Notes(model="openai/gpt-5.6", wire_id="w"))
    events: list[Event] = []
    for at in range(0, len(body), step or len(body) or 1):
        events.extend(parser.feed(body[at : at + (step or len(body))]))
    events.extend(parser.end())
    assert isinstance(events[-2], Usage)
    return [event for event in events if not (isinstance(event, Usage) and event.estimated)], parser


def answer(*frames: Frame, notes: Notes | None = None) -> list[Event]:
    """The events of the frames behind ``created``; whole and byte by byte must agree."""
    body = sse((CREATED, *frames))
    whole, _ = read(body, notes)
    assert read(body, notes, step=1)[0] == whole
    return whole


def failure(*frames: Frame) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(sse((CREATED, *frames)))
    return caught.value


def test_text_streams_and_is_not_repeated_by_what_sums_it_up() -> None:
    """The done events, the finished item and the terminal event repeat the text; the client gets it once."""
    pos = {"content_index": 0}
    assert answer(
        added(0, type="message", content=[]),
        delta("output_text", "Hel", **pos),
        delta("output_text", "lo", **pos),
        {"type": "response.output_text.done", "output_index": 0, "text": "Hello", **pos},
        {"type": "response.content_part.done", "output_index": 0, "part": output_text("Hello"), **pos},
        done(0, **message(output_text("Hello"))),
        end(output=(message(output_text("Hello")),)),
    ) == [STARTED, TextDelta("Hel"), TextDelta("lo"), Finish("stop")]


@pytest.mark.parametrize(
    "frames",
    [
        ({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}, end()),
        (done(0, **message(output_text("Hello"))), end()),
        (end(output=(message(output_text("Hello")),)),),
        (delta("output_text", "Hello"), end()),
        (delta("output_text", "Hello"), done(0, **message(output_text("other"))), end()),
    ],
    ids=["text.done", "item.done", "terminal", "delta without content_index", "final text contradicts"],
)
def test_text_comes_from_whichever_event_has_it_first(frames: tuple[Frame, ...]) -> None:
    """A host may leave out the deltas; what was streamed is never taken back."""
    assert answer(*frames) == [STARTED, TextDelta("Hello"), Finish("stop")]


def test_a_final_text_adds_what_the_deltas_left_out() -> None:
    """If the item goes on from what was streamed, the rest follows."""
    assert answer(delta("output_text", "Hel"), done(0, **message(output_text("Hello"), output_text("!"))), end()) == [
        STARTED,
        TextDelta("Hel"),
        TextDelta("lo"),
        TextDelta("!"),
        Finish("stop"),
    ]


def test_interleaved_calls_keep_their_arguments() -> None:
    """Calls are told apart by their output index and get dense indexes in order of appearance."""
    assert answer(
        added(1, **call("call_a", "f")),
        added(3, **call("call_b", "g")),
        delta("function_call_arguments", '{"b"', 3),
        delta("function_call_arguments", '{"a"', 1),
        delta("function_call_arguments", ": 2}", 3),
        delta("function_call_arguments", ": 1}", 1),
        {"type": "response.function_call_arguments.done", "output_index": 3, "arguments": '{"b": 2}'},
        done(1, **call("call_a", "f", '{"a": 1}')),
        done(3, **call("call_b", "g", '{"b": 2}')),
        end(output=(call("call_a", "f", '{"a": 1}'), call("call_b", "g", '{"b": 2}'))),
    ) == [
        STARTED,
        ToolCallStart(0, "call_a", "f"),
        ToolCallStart(1, "call_b", "g"),
        ToolCallDelta(1, '{"b"'),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(1, ": 2}"),
        ToolCallDelta(0, ": 1}"),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize(
    "frames",
    [
        (added(0, **call(arguments='{"a":1}')), end()),
        (
            added(0, **call()),
            {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'},
            end(),
        ),
        (done(0, **call(arguments='{"a":1}')), end()),
        (end(output=(call(arguments='{"a":1}'),)),),
        (delta("function_call_arguments", '{"a":1}'), done(0, **call()), end()),
        (delta("function_call_arguments", '{"a":1}'), end(output=(call(arguments='{"a":1}'),))),
        (added(0, type="function_call", call_id="call_1", name="f", arguments={"a": 1}), end()),
    ],
    ids=["added", "arguments.done", "item.done", "terminal", "delta first", "named at the end", "an object"],
)
def test_a_call_comes_from_whichever_event_has_it_first(frames: tuple[Frame, ...]) -> None:
    """The start waits for id and name; the arguments come once, byte for byte."""
    assert answer(*frames) == [
        STARTED,
        ToolCallStart(0, "call_1", "f"),
        ToolCallDelta(0, '{"a":1}'),
        Finish("tool_calls"),
    ]


def test_arguments_that_contradict_what_was_streamed_are_ignored() -> None:
    """What the client already has cannot be taken back; a suffix is added, nothing else."""
    events = answer(added(0, **call()), delta("function_call_arguments", '{"a'), done(0, **call(arguments="{}")), end())
    assert [event for event in events if isinstance(event, ToolCallDelta)] == [ToolCallDelta(0, '{"a')]


def test_two_calls_under_one_output_index_stay_two() -> None:
    """A host that numbers every item 0 is still understood by its call ids."""
    assert answer(
        added(0, **call("call_a")),
        delta("function_call_arguments", "{}"),
        added(0, **call("call_b")),
        delta("function_call_arguments", "[]"),
        end(),
    ) == [
        STARTED,
        ToolCallStart(0, "call_a", "f"),
        ToolCallDelta(0, "{}"),
        ToolCallStart(1, "call_b", "f"),
        ToolCallDelta(1, "[]"),
        Finish("tool_calls"),
    ]


def test_a_call_without_an_id_gets_one() -> None:
    """The item's own id serves, and if there is none, one is made up."""
    assert answer(done(0, type="function_call", id="fc_7", name="f", arguments=""), end())[1] == ToolCallStart(
        0, "fc_7", "f"
    )
    made = answer(done(0, type="function_call", name="f", arguments=""), end())[1]
    assert isinstance(made, ToolCallStart)
    assert made.id.startswith("call_w")


def test_arguments_without_a_call_are_broken() -> None:
    """A call that nobody names cannot be given to the client, and must not vanish."""
    assert isinstance(failure(delta("function_call_arguments", "{}"), end()), UpstreamBroken)


@pytest.mark.parametrize("id_", [{"id": "fc_1"}, {}], ids=["item id", "no id"])
def test_a_call_is_the_same_without_its_call_id(id_: Frame) -> None:
    """Hosts that name the call only where it begins, and the item or nothing later, made one call and not three."""
    later = {"type": "function_call", "name": "f", "arguments": '{"a":1}', **id_}
    found = answer(
        added(0, **call(), **id_),
        delta("function_call_arguments", '{"a":1}'),
        done(0, **later),
        end(output=(later,)),
    )
    assert found[1:-1] == [ToolCallStart(0, "call_1", "f"), ToolCallDelta(0, '{"a":1}')]
    assert found[-1] == Finish("tool_calls")


def test_custom_calls_stream_their_input() -> None:
    """A custom tool's text is not JSON, and the client is told so."""
    item = {"type": "custom_tool_call", "call_id": "call_1", "name": "run"}
    assert answer(
        added(0, **item, input=""),
        delta("custom_tool_call_input", "4 +"),
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "input": "4 + 4"},
        done(0, **item, input="4 + 4"),
        end(),
    ) == [
        STARTED,
        ToolCallStart(0, "call_1", "run", custom=True),
        ToolCallDelta(0, "4 +"),
        ToolCallDelta(0, " 4"),
        Finish("tool_calls"),
    ]


def test_reasoning_parts_are_parted_by_a_blank_line() -> None:
    """Summaries and plain reasoning become reasoning; a blank line stands between two parts, none at the end."""
    assert answer(
        added(0, type="reasoning", summary=[]),
        delta("reasoning_summary_text", "One", summary_index=0),
        delta("reasoning_summary_text", ".", summary_index=0),
        delta("reasoning_summary_text", "Two.", summary_index=1),
        done(
            0,
            type="reasoning",
            summary=[{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        ),
        delta("reasoning_text", "Three.", 1, content_index=0),
        end(),
    ) == [
        STARTED,
        ReasoningDelta("One"),
        ReasoningDelta("."),
        ReasoningDelta("\n\nTwo."),
        ReasoningDelta("\n\nThree."),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
    ],
)
def test_reasoning_without_deltas_comes_from_the_item(item: Frame) -> None:
    """A finished item, or the terminal event alone, is enough."""
    for frames in ((done(0, **item), end()), (end(output=(item,)),)):
        assert answer(*frames) == [STARTED, ReasoningDelta("Hm."), Finish("stop")]


def test_a_refusal_is_a_refusal() -> None:
    """It does not become text, and comes once."""
    assert answer(
        delta("refusal", "I can't"),
        {"type": "response.refusal.done", "output_index": 0, "content_index": 0, "refusal": "I can't."},
        done(0, **message({"type": "refusal", "refusal": "I can't."})),
        end(),
    ) == [STARTED, RefusalDelta("I can't"), RefusalDelta("."), Finish("stop")]


def test_tools_of_the_provider_are_its_own_business() -> None:
    """Web search, code, images and MCP run at the provider: nothing of them is a call for the client."""
    assert answer(
        added(0, type="web_search_call", id="ws"),
        {"type": "response.web_search_call.searching", "output_index": 0},
        {"type": "response.code_interpreter_call_code.delta", "output_index": 1, "delta": "print()"},
        {"type": "response.mcp_call_arguments.delta", "output_index": 2, "delta": "{}"},
        {"type": "response.output_text.annotation.added", "output_index": 3, "annotation": {}},
        delta("output_text", "Found.", 3),
        end(output=({"type": "web_search_call"}, {"type": "mcp_call", "name": "x", "arguments": "{}"})),
    ) == [STARTED, TextDelta("Found."), Finish("stop")]


@pytest.mark.parametrize(
    ("terminal", "want"),
    [
        (end(), Finish("stop")),
        (end("done") | {"response": {}}, Finish("stop")),
        ({"type": "response.done", "response": {"status": "completed"}}, Finish("stop")),
        (
            end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Finish("length", {"reason": "max_output_tokens"}),
        ),
        (
            end("incomplete", incomplete_details={"reason": "content_filter"}),
            Finish("content_filter", {"reason": "content_filter"}),
        ),
        (end("incomplete", incomplete_details=None), Finish("length")),
        (
            {"type": "response.done", "response": {"status": "incomplete", "incomplete_details": {"reason": "x"}}},
            Finish("length", {"reason": "x"}),
        ),
    ],
)
def test_finish_reasons(terminal: Frame, want: Finish) -> None:
    """The status of the terminal response decides, whatever the event is called."""
    assert answer(delta("output_text", "Hi"), terminal) == [STARTED, TextDelta("Hi"), want]


def test_cut_off_arguments_end_in_length() -> None:
    """A call that ran into the token limit keeps its cut-off arguments, and the finish says why."""
    assert answer(
        added(0, **call()),
        delta("function_call_arguments", '{"a": 12'),
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    )[-2:] == [ToolCallDelta(0, '{"a": 12'), Finish("length", {"reason": "max_output_tokens"})]


def test_usage_is_split_without_losing_a_token() -> None:
    """Input excludes what the cache gave and took; output includes reasoning."""
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 150,
    }
    assert answer(end(usage=usage))[1:] == [
        Usage(input=10, output=50, cache_read=60, cache_write=30, reasoning=20, total=150),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    "usage", [None, 7, {}, {"input_tokens": None, "input_tokens_details": 3, "output_tokens_details": None}]
)
def test_odd_usage_breaks_nothing(usage: Any) -> None:
    """Missing numbers are zero; no usage at all is estimated."""
    events = answer(end(usage=usage))
    assert events[1:-1] == ([Usage()] if isinstance(usage, dict) and usage else [])


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        (end("failed", error={"code": "rate_limit_exceeded", "message": "Slow down."}), 429, "rate_limit_exceeded"),
        (end("failed", error={"code": "server_error", "message": "Oops."}), 502, "upstream_error"),
        (end("failed", error={"code": "invalid_prompt", "message": "No."}), 400, "invalid_prompt"),
        (end("failed", error={"code": "image_too_large", "message": "No."}), 400, "image_too_large"),
        (
            end("failed", error={"code": "x", "message": "Your input exceeds the context window."}),
            400,
            "context_length_exceeded",
        ),
        (end("failed"), 502, "upstream_error"),
        (end("cancelled"), 502, "upstream_error"),
        ({"type": "error", "code": "server_is_overloaded", "message": "Busy."}, 503, "provider_overloaded"),
        ({"type": "error", "error": {"type": "usage_limit_reached", "message": "Used up."}}, 429, "insufficient_quota"),
        ({"type": "error", "status": 404, "error": {"message": "Gone."}}, 404, "model_not_found"),
        ({"error": {"message": "Plain."}}, 502, "upstream_error"),
    ],
)
def test_errors_inside_the_stream(frame: Frame, status: int, code: str) -> None:
    """A failed response and an error event are the provider's error, before anything was answered or after."""
    early = failure(frame)
    late = failure(delta("output_text", "Hal"), frame)
    for error in (early, late):
        assert isinstance(error, ProviderError)
        assert (error.status, error.code) == (status, code)
    assert list(early.events) == []
    assert list(late.events) == [STARTED, TextDelta("Hal")]


def test_an_answer_starts_with_its_first_output() -> None:
    """While the provider only queues, a failure may still come and keep its HTTP status."""
    parser = ResponsesParser(Notes())
    assert parser.feed(sse((CREATED, {"type": "response.queued"}, {"type": "response.in_progress"}))) == []
    assert parser.feed(sse((added(0, type="reasoning"),))) == [STARTED]


@pytest.mark.parametrize(
    "body",
    [
        sse((CREATED, delta("output_text", "Hal"))),
        sse((CREATED, delta("output_text", "Hal"))) + b"data: [DONE]\n\n",
        sse((CREATED,)) + b'data: {"type": "respo',
        sse((CREATED,)) + b"data: [1]\n\n",
        b'{"id": "resp_1", "object": "response", "status": "in_progress", "output": []}',
        b'{"id": "resp_1", "status": "comp',
    ],
    ids=["no terminal event", "only [DONE]", "half a frame", "no object", "unfinished document", "half a document"],
)
def test_what_stops_short_is_broken(body: bytes) -> None:
    """No ending is invented."""
    for step in (None, 1):
        with pytest.raises(UpstreamBroken):
            read(body, step=step)


def test_an_error_document_behind_the_frames_is_the_error() -> None:
    """A server that writes bare JSON when it fails is understood."""
    with pytest.raises(ProviderError, match="Worker died"):
        read(sse((CREATED, delta("output_text", "Hal"))) + b'{"error": {"message": "Worker died."}}\n')


def test_a_whole_response_is_an_answer_too() -> None:
    """JSON with status 200 gives the same events."""
    body = {
        "id": "resp_1",
        "model": "gpt-5.6",
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            message(output_text("Hi")),
            call(arguments="{}"),
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    raw = json.dumps(body).encode()
    for step in (None, 1):
        assert read(raw, step=step)[0] == [
            STARTED,
            ReasoningDelta("Hm."),
            TextDelta("Hi"),
            ToolCallStart(0, "call_1", "f"),
            ToolCallDelta(0, "{}"),
            Usage(input=3, output=2),
            Finish("tool_calls"),
        ]


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Nope.", "code": "server_error"}},
        {"detail": "Nope."},
        {"status": "failed", "output": [], "error": {"message": "Nope."}},
    ],
)
def test_an_error_document_is_an_error(body: Frame) -> None:
    """Status 200 does not make an answer of it."""
    with pytest.raises(ProviderError, match="Nope"):
        read(json.dumps(body).encode())


def test_the_type_may_stand_in_the_event_line() -> None:
    """Some hosts name the event only there."""
    body = b'event: response.output_text.delta\ndata: {"delta": "Hi", "output_index": 0}\n\n'
    body += b'event: response.completed\ndata: {"response": {}}\n\n'
    assert read(body)[0] == [Started(), TextDelta("Hi"), Finish("stop")]


def test_items_may_be_named_by_id_only() -> None:
    """Without ``output_index`` the item's id tells the calls apart."""
    pieces: list[Frame] = [
        {"type": "response.output_item.added", "item_id": "a", "item": call("call_a")},
        {"type": "response.output_item.added", "item_id": "b", "item": call("call_b")},
        {"type": "response.function_call_arguments.delta", "item_id": "a", "delta": "1"},
        {"type": "response.function_call_arguments.delta", "item_id": "b", "delta": "2"},
        end(),
    ]
    assert answer(*pieces)[3:] == [ToolCallDelta(0, "1"), ToolCallDelta(1, "2"), Finish("tool_calls")]


STOP = Notes(stops=("END", "\n\n"))


def test_a_stop_sequence_ends_the_answer_at_once() -> None:
    """Split over deltas, it is still found; nothing after it is read, and no end of the stream is waited for."""
    frames = (
        delta("output_text", "one E"),
        delta("output_text", "N"),
        delta("output_text", "D two"),
        delta("output_text", "three"),
        end(usage={"input_tokens": 1}),
    )
    body = sse((CREATED, *frames))
    for step in (None, 1):
        assert read(body, STOP, step=step)[0] == [STARTED, TextDelta("one "), Finish("stop")]


def test_what_only_looked_like_a_stop_comes_late_but_comes() -> None:
    """Text that was held back is given when the stop sequence does not come after all."""
    assert answer(delta("output_text", "one E"), delta("output_text", "nd E"), end(), notes=STOP) == [
        STARTED,
        TextDelta("one "),
        TextDelta("End "),
        TextDelta("E"),
        Finish("stop"),
    ]


def test_usage_that_nobody_counted_is_estimated() -> None:
    """An answer that we cut off ourselves, or without numbers, is counted by characters and says so."""
    notes = Notes(stops=("END",), prompt=Chat(model="m", messages=(UserMessage("x" * 35),)))
    head = (delta("reasoning_text", "y" * 7), delta("output_text", "z" * 4))
    for tail in (delta("output_text", "END"), end()):
        parser = ResponsesParser(notes)
        usage = parser.feed(sse((CREATED, *head, tail)))[-2]
        assert usage == Usage(input=10, output=4, reasoning=2, estimated=True)


def test_a_stop_in_a_whole_response_keeps_its_usage() -> None:
    """What is known anyway is told: the usage of the document, but neither the rest nor the calls."""
    body = {
        "status": "completed",
        "output": [message(output_text("one END two")), call()],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    assert read(json.dumps(body).encode(), STOP)[0] == [
        Started(),
        TextDelta("one "),
        Usage(input=3, output=2),
        Finish("stop"),
    ]


def test_stops_leave_reasoning_and_arguments_alone() -> None:
    """Only the text of the answer is searched."""
    events = answer(
        delta("reasoning_text", "END"),
        added(1, **call()),
        delta("function_call_arguments", "END", 1),
        end(),
        notes=STOP,
    )
    assert [type(event) for event in events] == [Started, ReasoningDelta, ToolCallStart, ToolCallDelta, Finish]


def probability(token: str) -> Frame:
    return {"token": token, "logprob": -0.5, "top_logprobs": [{"token": "x", "logprob": -2, "bytes": [120]}]}


def chat_probability(token: str) -> Frame:
    top = [{"token": "x", "logprob": -2, "bytes": [120]}]
    return {"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": top}


def test_logprobs_take_the_shape_of_chat_completions() -> None:
    """Each delta's probabilities follow its text; without being asked for, they are not given."""
    frames = (delta("output_text", "Hi", logprobs=[probability("Hi")]), end())
    assert answer(*frames, notes=Notes(logprobs=True)) == [
        STARTED,
        TextDelta("Hi"),
        LogprobsDelta({"content": [chat_probability("Hi")], "refusal": None}),
        Finish("stop"),
    ]
    assert answer(*frames) == [STARTED, TextDelta("Hi"), Finish("stop")]


def test_logprobs_of_text_that_a_stop_cuts_away_are_not_given() -> None:
    """Probabilities belong to the text that the client gets."""
    events = answer(
        delta("output_text", "a", logprobs=[probability("a")]),
        delta("output_text", "E", logprobs=[probability("E")]),
        delta("output_text", "ND", logprobs=[probability("ND")]),
        notes=Notes(stops=("END",), logprobs=True),
    )
    assert [event.value["content"] for event in events if isinstance(event, LogprobsDelta)] == [[chat_probability("a")]]


def sealed(id: str = "rs_1") -> Frame:
    return {"type": "reasoning", "id": id, "summary": [], "encrypted_content": "sealed"}


def test_encrypted_reasoning_is_kept_for_the_call_that_it_led_to() -> None:
    """The items before a call are remembered under its id, and shown as OpenRouter's reasoning details."""
    body = sse((CREATED, done(0, **sealed()), done(1, **call("call_a")), done(2, **call("call_b")), end()))
    events, parser = read(body)
    assert parser.replay == {"call_a": {"model": "openai/gpt-5.6", "items": [sealed()]}}
    assert [event.value for event in events if isinstance(event, ReasoningOpaque)] == [
        [
            {
                "type": "reasoning.encrypted",
                "format": "openai-responses-v1",
                "id": "rs_1",
                "data": "sealed",
                "model": "openai/gpt-5.6",
            }
        ]
    ]


def test_encryption_may_be_told_in_the_terminal_event_only() -> None:
    """Azure does so; the item is found by its id."""
    plain = {"type": "reasoning", "id": "rs_1", "summary": []}
    body = sse((CREATED, done(0, **plain), done(1, **call()), end(output=(sealed(), call()))))
    assert read(body)[1].replay == {"call_1": {"model": "openai/gpt-5.6", "items": [sealed()]}}


def test_reasoning_that_is_not_encrypted_is_not_kept() -> None:
    """With ``store: false`` its id alone means nothing to the provider."""
    body = sse((CREATED, done(0, type="reasoning", id="rs_1", summary=[]), done(1, **call()), end()))
    assert read(body)[1].replay == {}


def test_the_parser_is_made_from_the_request() -> None:
    """Its notes carry the stops; a request without notes has none."""
    bare = stream_parser(WireRequest(url="", body=b"", headers={}), "text/event-stream")
    noted = stream_parser(WireRequest(url="", body=b"", headers={}, notes=STOP), "")
    body = sse((CREATED, delta("output_text", "a END"), end()))
    assert bare.feed(body)[1] == TextDelta("a END")
    assert noted.feed(body)[1] == TextDelta("a ")


EVERYTHING: tuple[Frame, ...] = (
    CREATED,
    done(0, **sealed()),
    delta("reasoning_summary_text", "a", 0, summary_index=0),
    delta("output_text", "a", 1, content_index=0, item_id="m", logprobs=[probability("a")]),
    {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "ab"},
    done(1, **message(output_text("abc"), {"type": "refusal", "refusal": "no"})),
    added(2, **call()),
    delta("function_call_arguments", "{", 2),
    {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{}"},
    done(2, **call(arguments="{}")),
    added(3, type="custom_tool_call", call_id="call_2", name="g", input=""),
    delta("custom_tool_call_input", "x", 3),
    end(
        "incomplete",
        (sealed("rs_2"), message(output_text("abc")), call(arguments="{}")),
        incomplete_details={"reason": "max_output_tokens"},
        usage={"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}, "output_tokens_details": {}},
        error=None,
        id="resp_1",
    ),
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
                read(sse((*EVERYTHING[:at], version, *EVERYTHING[at + 1 :])), Notes(logprobs=True, stops=("zz",)))
    for version in damaged(EVERYTHING[-1]["response"], bad):
        with suppress(UpstreamError):
            read(json.dumps(version).encode())
