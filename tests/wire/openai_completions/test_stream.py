from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from fakes.completions import chat, chunk, model, parse, parse_pieces, sse

from piproxy.chat import UserMessage
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
from piproxy.framing import sse as framing
from piproxy.jsontext import Json
from piproxy.wire.openai_completions.request import Notes, build_request
from piproxy.wire.openai_completions.stream import CompletionsParser, stream_parser
from piproxy.wire.room import Options, WireRequest

USAGE = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
COUNTED = Usage(input=4, output=2, total=6)
STOP = chunk({}, "stop", usage=USAGE)


def content(events: list[Event]) -> list[Event]:
    """Everything between the start and the usage."""
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finish)
    assert isinstance(events[-2], Usage)
    return events[1:-2]


def broken(data: bytes, notes: Notes | None = None) -> UpstreamError:
    with pytest.raises((ProviderError, UpstreamBroken)) as error:
        parse(data, notes)
    return error.value


def test_plain_text() -> None:
    """Started, text, usage and finish, in this order; empty deltas say nothing."""
    assert parse(sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hé"}), chunk(), STOP)) == [
        Started("c1", "up"),
        TextDelta("Hé"),
        COUNTED,
        Finish("stop"),
    ]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "reasoning_text"])
def test_reasoning_names(name: str) -> None:
    """Thinking is thinking under each of its names, and comes before the text of the same delta."""
    events = parse(sse(chunk({"content": "b", name: "a"}), STOP))
    assert content(events) == [ReasoningDelta("a"), TextDelta("b")]


def test_reasoning_twice() -> None:
    """A server that says the same in two fields is heard once."""
    delta = {"reasoning_content": "a", "reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]}
    assert content(parse(sse(chunk(delta), STOP)))[0] == ReasoningDelta("a")


def test_reasoning_details() -> None:
    """Details are read where there is no other thinking, and given whole at the end for the next turn."""
    frames = [
        chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "x"}, "odd"]}),
        chunk({"content": "c"}),
        STOP,
    ]
    whole = [
        {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "x"},
    ]
    assert content(parse(sse(*frames))) == [
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        TextDelta("c"),
        ReasoningOpaque(whole),
    ]


def test_content_parts() -> None:
    """Content may come as a list of texts and thoughts."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"type": "thinking", "thinking": "c"},
        {"type": "text", "text": "d"},
        "e",
        {"type": "reference", "reference_ids": [1]},
        {"type": "text", "text": None},
        7,
    ]
    assert content(parse(sse(chunk({"content": parts}), STOP))) == [
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        ReasoningDelta("c"),
        TextDelta("d"),
        TextDelta("e"),
    ]


def test_refusal() -> None:
    """A refusal is no text."""
    assert content(parse(sse(chunk({"refusal": "No"}), chunk({"refusal": "."}), STOP))) == [
        RefusalDelta("No"),
        RefusalDelta("."),
    ]


def test_logprobs() -> None:
    """Logprobs are given when they were asked for."""
    frame = chunk({"content": "a"})
    frame["choices"][0]["logprobs"] = {"content": []}
    assert LogprobsDelta({"content": []}) in parse(sse(frame, STOP), Notes(logprobs=True))
    assert LogprobsDelta({"content": []}) not in parse(sse(frame, STOP))


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": []},
        {"id": "c1", "choices": None},
        {"id": "c1", "choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"id": "c1", "choices": [{"index": 1, "delta": {"content": "other choice"}, "finish_reason": "stop"}]},
        {"id": "c1", "choices": [None, 7]},
        {"id": "c1", "choices": [{"delta": {"annotations": [{}], "audio": {}, "content": 7, "refusal": [],
                                            "tool_calls": [None], "reasoning_details": "x"}}]},
        {"id": "c1", "choices": [], "usage": None},
        {"id": "c1", "choices": [], "error": None},
        {},
        ": keep-alive\n\n",
        "event: ping\nid: 3\nretry: 10\n\n",
        "data:\n\n",
        "\n\n\n",
    ],
)  # fmt: skip
def test_harmless_frames(odd: Json) -> None:
    """Comments, empty choices, filters and fields of an unknown kind change nothing."""
    events = parse(sse(odd, chunk({"content": "a"}), odd, STOP, odd))
    assert isinstance(events[0], Started)
    assert events[0].id == "c1"
    assert events[1:] == [TextDelta("a"), COUNTED, Finish("stop")]


def test_line_ends() -> None:
    """CR LF and CR alone end lines, too."""
    plain = sse(chunk({"content": "a"}), STOP)
    for end in (b"\r\n", b"\r"):
        assert parse(plain.replace(b"\n", end)) == parse(plain)


def test_half_surrogates_are_kept() -> None:
    """A pair that is split over two deltas can be joined by the client."""
    events = content(parse(sse(chunk({"content": "\ud83d"}), chunk({"content": "\ude00"}), STOP)))
    assert events == [TextDelta("\ud83d"), TextDelta("\ude00")]


def test_nothing_after_done() -> None:
    """What follows [DONE] is not read."""
    data = sse(chunk({"content": "a"}), STOP) + sse(chunk({"content": "b"})) + b"garbage"
    assert parse(data) == parse(sse(chunk({"content": "a"}), STOP))
    parser = CompletionsParser(Notes())
    parser.feed(data)
    assert not parser.feed(b"more")
    assert list(parser.end()) == []


@pytest.mark.parametrize(
    ("frames", "done", "ends"),
    [
        ([chunk({"content": "a"}, "stop")], False, True),
        ([chunk({"content": "a"})], True, True),
        ([chunk({"content": "a"})], False, False),
        ([chunk({"content": "a"}, "stop"), 'data: {"id": "c1", "cho'], False, True),
        ([chunk({"content": "a"}), 'data: {"id": "c1", "cho'], False, False),
        ([chunk({"content": "a"}, "stop"), "data: [DO"], False, True),
        (["data: [DO"], False, False),
        ([], True, False),
        ([": only comments\n\n"], False, False),
    ],
)
def test_how_a_stream_may_end(frames: list[Json], done: bool, ends: bool) -> None:
    """A finish reason or [DONE] completes an answer; anything less is broken off."""
    if ends:
        assert parse(sse(*frames, done=done))[-1] == Finish("stop")
    else:
        assert isinstance(broken(sse(*frames, done=done)), UpstreamBroken)


def test_upstream_that_never_says_why_it_stops() -> None:
    """With supportsFinishReason off, a clean end is enough, but not one inside a frame."""
    notes = Notes(infer_finish=True)
    assert parse(sse(chunk({"content": "a"}), done=False), notes)[-1] == Finish("stop")
    call = chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}]})
    assert parse(sse(call, done=False), notes)[-1] == Finish("tool_calls")
    broken(sse(chunk({"content": "a"}), 'data: {"x"', done=False), notes)
    broken(b"", notes)


@pytest.mark.parametrize(
    ("frame", "status", "words"),
    [
        ({"error": {"message": "Broke.", "code": 502}}, 502, "Broke."),
        ({"error": {"message": "Too fast.", "type": "rate_limit_error"}}, 429, "Too fast."),
        ({"error": "Just words."}, 502, "Just words."),
        ([{"error": {"message": "In a list.", "code": 400}}], 400, "In a list."),
        ({"object": "error", "message": "vLLM says no.", "code": 400}, 400, "vLLM says no."),
        ({"message": "Bare.", "type": "server_error"}, 502, "Bare."),
        ({"detail": "FastAPI."}, 502, "FastAPI."),
        ({"id": "c1", "error": {"message": "Routed.", "code": 503}, "choices": [{"finish_reason": "error"}]}, 503,
         "Routed."),
        ({"id": "c1", "choices": [{"error": {"message": "In a choice.", "code": 504}}]}, 504, "In a choice."),
        ('event: error\ndata: {"message": "By event."}\n\n', 502, "By event."),
        ("event: error\ndata: Only text.\n\n", 502, "Only text."),
        (chunk({}, "network_error"), 502, "network_error"),
        (chunk({}, "insufficient_system_resource"), 503, "insufficient_system_resource"),
        (chunk({}, "model_context_window_exceeded"), 400, "model_context_window_exceeded"),
    ],
)  # fmt: skip
def test_error_inside_the_stream(frame: Json, status: int, words: str) -> None:
    """An error inside the stream has the status of its kind, keeps its words and what came before it."""
    data = sse(chunk({"content": "a"}), frame)
    error = broken(data)
    assert isinstance(error, ProviderError)
    assert (error.status, error.upstream_status) == (status, None)
    assert words in error.message
    with pytest.raises(ProviderError) as whole:
        parse_pieces([data])
    assert list(whole.value.events) == [Started("c1", "up"), TextDelta("a")]


@pytest.mark.parametrize(
    "text", ["data: {no json\n\n", "data: 17\n\n", "data: []\n\n", 'data: ["x"]\n\n', "data: null\n\n"]
)
def test_nonsense(text: str) -> None:
    """A frame that makes no sense breaks the answer."""
    assert isinstance(broken(sse(chunk({"content": "a"}), text, STOP)), UpstreamBroken)


def test_nonsense_shows_no_secret() -> None:
    """The broken frame is quoted without keys."""
    assert "sk-abc" not in broken(b"data: error for sk-abcdef0123456789abcdef\n\n").message


def test_error_document_between_frames() -> None:
    """An error that a server writes without any framing is found at the end."""
    error = broken(
        sse(chunk({"content": "a"}), '{"error": {"message": "Out of memory.", "code": 500}}\n\n', done=False)
    )
    assert isinstance(error, ProviderError)
    assert "Out of memory." in error.message


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        (b' {"error": {"message": "Too fast.", "code": 429}}', ProviderError, "Too fast."),
        (b'\xef\xbb\xbf[{"error": {"message": "List.", "status": "INTERNAL"}}]', ProviderError, "List."),
        (b'{"id": "x", "object": "chat.completion", "choices": []}', UpstreamBroken, "no completion"),
        (b'{"data": []}', UpstreamBroken, "no completion"),
        (b"[]", UpstreamBroken, ""),
        (b'{"id": "x", "choices": [', UpstreamBroken, "neither"),
        (b"<html><title>Sign in</title></html>", UpstreamBroken, "Sign in"),
    ],
)
def test_document_that_is_no_answer(document: bytes, kind: type[UpstreamError], words: str) -> None:
    """A JSON error or a page with status 200 is an error."""
    error = broken(document)
    assert type(error) is kind
    assert words in error.message


def test_whole_completion() -> None:
    """An upstream that would not stream is read all the same; Perplexity's empty delta beside the message is not."""
    message = {
        "role": "assistant",
        "reasoning_content": "r",
        "content": "c",
        "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    choice = {"index": 0, "message": message, "delta": {"content": ""}, "finish_reason": "stop"}
    document = {"id": "c1", "object": "chat.completion", "model": "up", "choices": [choice], "usage": USAGE}
    assert parse(json.dumps(document).encode()) == [
        Started("c1", "up"),
        ReasoningDelta("r"),
        TextDelta("c"),
        ToolCallStart(0, "x", "f"),
        ToolCallDelta(0, "{}"),
        COUNTED,
        Finish("tool_calls", "stop"),
    ]


def test_content_type_does_not_matter() -> None:
    """Servers mislabel both forms; the first byte tells."""
    request = WireRequest(url="https://h", body=b"", headers={})
    for content_type, data in (("application/json", sse(STOP)), ("text/event-stream", b'{"error": "Words."}')):
        parser = stream_parser(request, content_type)
        with pytest.raises(ProviderError) if data.startswith(b"{") else nullcontext():
            assert isinstance([*parser.feed(data), *parser.end()][-1], Finish)


def test_document_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that never ends is given up."""
    monkeypatch.setattr("piproxy.wire.openai_completions.stream.MAX_FRAME", 100)
    parser = CompletionsParser(Notes())
    with pytest.raises(UpstreamBroken):
        for _ in range(200):
            parser.feed(b"{")
    assert framing.MAX_FRAME > 100


def test_silent_overflow() -> None:
    """Where a full window shows as an empty ``length``, it is an error; with any output it is none."""
    error = broken(sse(chunk({}, "length")), Notes(silent_overflow=True))
    assert error.code == "context_length_exceeded"
    assert parse(sse(chunk({}, "length")))[-1] == Finish("length")
    assert parse(sse(chunk({"content": "a"}, "length")), Notes(silent_overflow=True))[-1] == Finish("length")


def test_usage_that_nobody_sent() -> None:
    """An upstream that counts nothing is estimated, and the estimate says so."""
    request = build_request(chat(UserMessage("x" * 700)), model(), Options())
    parser = stream_parser(request, "text/event-stream")
    frames = sse(chunk({"reasoning_content": "y" * 35}), chunk({"content": "z" * 70}), chunk({}, "stop"))
    events = [*parser.feed(frames), *parser.end()]
    assert events[-2] == Usage(input=200, output=30, reasoning=10, estimated=True)


def test_replay() -> None:
    """What must come back with the calls is kept by the ids that the client gets."""
    parser = CompletionsParser(Notes(wire_id="w1", model="mine/m"))
    calls: list[Json] = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {
            "index": 1,
            "function": {"name": "g", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "s"}},
        },
    ]
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    frames = sse(chunk({"reasoning": "Hm.", "reasoning_details": details}), chunk({"tool_calls": calls}), STOP)
    events = [*parser.feed(frames), *parser.end()]
    start = next(event for event in events if isinstance(event, ToolCallStart) and event.index == 1)
    assert start.extra_content == {"google": {"thought_signature": "s"}}
    assert parser.replay == {
        "a": {"model": "mine/m", "reasoning": "Hm.", "reasoning_details": details},
        start.id: {"model": "mine/m", "extra_content": {"google": {"thought_signature": "s"}}},
    }
