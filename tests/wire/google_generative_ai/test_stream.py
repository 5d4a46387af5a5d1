"""Gemini's answers as events."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
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
from piproxy.wire.google_generative_ai.stream import Notes, stream_parser
from piproxy.wire.google_generative_ai.vertex import stream as vertex
from piproxy.wire.room import StreamParser, WireRequest

STARTED = Started("id", "gemini")


def parser(notes: Notes | None = None) -> StreamParser:
    return stream_parser(WireRequest(url="", body=b"", headers={}, notes=notes), "text/event-stream")


def candidate(*parts: Json, finish: str | None = None, **more: Json) -> Json:
    body: dict[str, Json] = {"content": {"parts": list(parts), "role": "model"}, **more}
    if finish:
        body["finishReason"] = finish
    return {"candidates": [body], "responseId": "id", "modelVersion": "gemini"}


def sse(*documents: Json) -> bytes:
    return b"".join(b"data: " + json.dumps(document).encode() + b"\r\n\r\n" for document in documents)


def read(*documents: Json, notes: Notes | None = None) -> Sequence[Event]:
    parse = parser(notes)
    events = [*parse.feed(sse(*documents)), *parse.end()]
    return [event for event in events if not (isinstance(event, Usage) and event.estimated)]


def test_an_answer_with_thoughts_text_and_usage() -> None:
    """Thoughts and text are told apart by ``thought``, and the last usage counts."""
    events = read(
        candidate({"text": "Hm.", "thought": True}),
        {**candidate({"text": "Yes"}), "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10}},
        {
            **candidate({"text": "!"}, finish="STOP"),
            "usageMetadata": {
                "promptTokenCount": 10,
                "toolUsePromptTokenCount": 3,
                "cachedContentTokenCount": 4,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 5,
                "totalTokenCount": 20,
            },
        },
    )
    assert events == [
        STARTED,
        ReasoningDelta("Hm."),
        TextDelta("Yes"),
        TextDelta("!"),
        Usage(input=9, output=7, cache_read=4, reasoning=5, total=20),
        Finish("stop"),
    ]


def test_usage_after_the_finish_reason_still_counts() -> None:
    """The last document may hold nothing but usage, so the end of the bytes is the end of the answer."""
    parse = parser()
    assert not any(isinstance(event, Finish) for event in parse.feed(sse(candidate({"text": "a"}, finish="STOP"))))
    parse.feed(sse({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}))
    assert parse.end() == [Usage(input=1, output=2), Finish("stop")]


def test_usage_that_nobody_counted_is_estimated() -> None:
    """By the characters of prompt and answer, and marked as such."""
    parse = parser(Notes(prompt=Chat(model="m", messages=(UserMessage("x" * 70),))))
    thought = {"text": "1234567", "thought": True}
    parse.feed(sse(candidate(thought, {"text": "1234567"}, {"functionCall": {"name": "fffff"}}, finish="STOP")))
    assert parse.end()[0] == Usage(input=20, output=6, reasoning=2, estimated=True)


def test_calls_have_dense_indexes_own_ids_and_their_arguments() -> None:
    """Missing and repeated ids are made up from the request's own id, and ``STOP`` after calls is ``tool_calls``."""
    events = read(
        candidate({"functionCall": {"name": "f", "args": {"a": "ß", "b": [1, 2.5]}, "id": "x"}}),
        candidate(
            {"functionCall": {"name": "g", "id": "x"}}, {"functionCall": {"name": "h", "args": {}}}, finish="STOP"
        ),
        notes=Notes("req"),
    )
    assert events == [
        STARTED,
        ToolCallStart(0, "x", "f"),
        ToolCallDelta(0, '{"a":"ß","b":[1,2.5]}'),
        ToolCallStart(1, "call_req_1", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallStart(2, "call_req_2", "h"),
        ToolCallDelta(2, "{}"),
        Finish("tool_calls"),
    ]


def test_a_made_up_id_never_meets_one_of_the_providers() -> None:
    """Even an id that looks like ours is stepped around."""
    call = {"name": "f"}
    events = read(
        candidate({"functionCall": {**call, "id": "call_1"}}, {"functionCall": call}, finish="STOP"), notes=Notes()
    )
    assert [event.id for event in events if isinstance(event, ToolCallStart)] == ["call_1", "call_2"]


def test_a_signature_goes_to_the_client_and_into_the_memory() -> None:
    """A call's signature rides in ``extra_content``, and ``replay`` has it under the call's id."""
    parse = parser()
    signed = {"functionCall": {"name": "f", "id": "x"}, "thoughtSignature": "QUJD"}
    events = parse.feed(sse(candidate(signed, {"functionCall": {"name": "g", "id": "y"}}, finish="STOP")))
    extra = {"google": {"thought_signature": "QUJD"}}
    assert events[1] == ToolCallStart(0, "x", "f", extra_content=extra)
    assert events[3] == ToolCallStart(1, "y", "g")
    parse.end()
    assert parse.replay == {"x": extra}


def test_a_signature_on_an_empty_text_is_kept() -> None:
    """Gemini may sign the answer with a part that says nothing."""
    (_, opaque, _) = read(candidate({"text": "", "thoughtSignature": "QUJD"}, finish="STOP"))
    assert isinstance(opaque, ReasoningOpaque)
    assert opaque.value["data"] == "QUJD"


def test_a_free_text_tool_gives_its_text() -> None:
    """The object that carries the input of a custom tool does not show."""
    call = {"name": "patch", "args": {"input": "*** Begin\n"}, "id": "x"}
    events = read(candidate({"functionCall": call}, finish="STOP"), notes=Notes("", frozenset({"patch"})))
    assert events[1:3] == [ToolCallStart(0, "x", "patch", custom=True), ToolCallDelta(0, "*** Begin\n")]


@pytest.mark.parametrize("part", [{"executableCode": {"code": "1"}}, {"inlineData": {"data": "QQ=="}}, {"text": 7}, {}])
def test_parts_that_no_client_asked_for_are_passed_over(part: Json) -> None:
    """Server tools, media and whatever comes later do not disturb."""
    assert read(candidate(part, {"text": "a"}, finish="STOP")) == [STARTED, TextDelta("a"), Finish("stop")]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_OTHER", "content_filter"),
    ],
)
def test_finish_reasons(reason: str, finish: str) -> None:
    """An answer that was cut or filtered keeps what it said."""
    events = read(candidate({"text": "a"}, finish=reason))
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == finish
    assert TextDelta("a") in events


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "MISSING_THOUGHT_SIGNATURE", "SOMETHING_NEW"])
def test_failed_answers_are_errors(reason: str) -> None:
    """A reason that is no end is a 502 that names it, and nothing was said before."""
    with pytest.raises(ProviderError, match=reason) as failure:
        read(candidate(finish=reason, finishMessage="Bad call."))
    assert (failure.value.status, failure.value.events) == (502, ())
    assert "Bad call." in failure.value.message


def test_a_failure_takes_along_what_was_said() -> None:
    """Text in front of an error in the same bytes is not lost."""
    with pytest.raises(ProviderError) as failure:
        parser().feed(
            sse(candidate({"text": "a"}), {"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}})
        )
    assert failure.value.status == 503
    assert failure.value.events == (STARTED, TextDelta("a"))


def test_a_blocked_prompt_is_the_clients_error() -> None:
    """``promptFeedback`` without a candidate is 400 ``content_filter``, never an empty success."""
    blocked = {"blockReason": "SAFETY", "blockReasonMessage": "It says why."}
    with pytest.raises(ProviderError, match=r"SAFETY.*It says why") as failure:
        read({"promptFeedback": blocked, "usageMetadata": {"promptTokenCount": 5}})
    assert (failure.value.status, failure.value.code, failure.value.events) == (400, "content_filter", ())


def test_a_prompt_that_is_blocked_late_is_an_error_at_the_end() -> None:
    """Without a finish reason, the block is what ended the answer."""
    with pytest.raises(ProviderError, match="PROHIBITED_CONTENT"):
        read(candidate({"text": "a"}), {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})


@pytest.mark.parametrize("raw", [b"", sse(candidate({"text": "a"})), sse({"usageMetadata": {}}), b"data: {\n\n"])
def test_an_answer_without_a_finish_reason_stopped_short(raw: bytes) -> None:
    """A connection that closes early never becomes a ``stop``."""
    parse = parser()
    with pytest.raises(UpstreamBroken):
        parse.feed(raw)
        parse.end()


def test_a_call_without_a_name_is_broken() -> None:
    """Nobody could run it."""
    with pytest.raises(UpstreamError, match="without a name"):
        read(candidate({"functionCall": {"args": {}}}, finish="STOP"))


def test_only_the_first_candidate_counts() -> None:
    """There is one choice."""
    document = candidate({"text": "a"}, finish="STOP")
    document["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"})
    assert read(document) == [STARTED, TextDelta("a"), Finish("stop")]


def test_vertex_is_read_by_the_same_parser() -> None:
    """The variant differs in addresses and logins only."""
    assert vertex.stream_parser is stream_parser
