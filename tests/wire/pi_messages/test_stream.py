"""Answers of pi's own protocol."""

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
from piproxy.wire.pi_messages.failure import parse_failure
from piproxy.wire.pi_messages.notes import Notes
from piproxy.wire.pi_messages.stream import EventParser, stream_parser
from piproxy.wire.room import WireRequest

USAGE = {"input": 20, "output": 31, "cacheRead": 100, "cacheWrite": 7, "cacheWrite1h": 3, "totalTokens": 158}
DONE = {"type": "done", "reason": "stop", "usage": USAGE}


def at(index: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "contentIndex": index, **more}


def sse(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + jsontext.dump(event) + b"\n\n" for event in events)


def parser(notes: Notes | None = None) -> EventParser:
    return stream_parser(WireRequest(url="", body=b"", headers={}, notes=notes), "")


def read(*events: dict[str, Any], notes: Notes | None = None) -> list[Event]:
    reader = parser(notes)
    return [*reader.feed(sse(events)), *reader.end()]


def content(*events: dict[str, Any], notes: Notes | None = None) -> list[Event]:
    """The events of a complete answer between start and usage."""
    return read({"type": "start"}, *events, DONE, notes=notes)[1:-2]


def test_a_whole_answer() -> None:
    """Started comes first, usage and the reason last."""
    usage = {**USAGE, "reasoning": 4, "cost": {"total": 0.25}}
    assert read({"type": "start"}, {"type": "new"}, {**DONE, "usage": usage}) == [
        Started(),
        Usage(20, 31, 100, 7, 3, 4, 158, 0.25),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (
            [
                at(0, "text_start"),
                at(0, "text_delta", delta="A"),
                at(0, "text_delta", delta=""),
                at(0, "text_end", content="A"),
            ],
            [TextDelta("A")],
        ),
        (
            [at(0, "text_start"), at(0, "text_delta", delta="A"), at(0, "text_end", content="AB")],
            [TextDelta("A"), TextDelta("B")],
        ),
        ([at(0, "text_start"), at(0, "text_delta", delta="A"), at(0, "text_end", content="X")], [TextDelta("A")]),
        (
            [at(0, "thinking_start"), at(0, "thinking_end", content="Hm.", contentSignature="")],
            [ReasoningDelta("Hm.")],
        ),
        (
            [
                at(0, "toolcall_start", id="t", toolName="f"),
                at(0, "toolcall_delta", delta='{"a": '),
                at(0, "toolcall_delta", delta="1}"),
                at(0, "toolcall_end", toolCall={"arguments": {"a": 1}}),
            ],
            [ToolCallStart(0, "t", "f"), ToolCallDelta(0, '{"a": '), ToolCallDelta(0, "1}")],
        ),
        (
            [at(0, "toolcall_start", id="t", toolName="f"), at(0, "toolcall_end", toolCall={"arguments": {"a": "ä"}})],
            [ToolCallStart(0, "t", "f"), ToolCallDelta(0, '{"a":"ä"}')],
        ),
        (
            [at(0, "toolcall_start", id="t", toolName="f"), at(1, "toolcall_start", id="t", toolName="g")],
            [ToolCallStart(0, "t", "f"), ToolCallStart(1, "t-2", "g")],
        ),
        ([at(0, "toolcall_start", toolName="f")], [ToolCallStart(0, "call_w_0", "f")]),
    ],
)
def test_blocks(events: list[dict[str, Any]], found: list[Event]) -> None:
    """Deltas are given as they come, and the end of a block adds what they left out."""
    assert content(*events, notes=Notes(wire_id="w")) == found


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish("stop")),
        ("length", Finish("length")),
        ("toolUse", Finish("tool_calls")),
        ("later", Finish("stop", {"reason": "later"})),
    ],
)
def test_reasons(reason: str, finish: Finish) -> None:
    """pi's reasons have OpenAI's words; one that is not known is told as it is."""
    assert read({"type": "done", "reason": reason}) == [Started(), Usage(estimated=True), finish]


def test_signatures_are_kept() -> None:
    """Signatures of thinking, texts and calls are remembered; signed thinking is shown to the client as opaque."""
    reader = parser(Notes(model="radius/m"))
    thought = {"type": "thinking", "thinking": "Hm.", "thinkingSignature": "c2ln"}
    hidden = {"type": "thinking", "thinking": "[Reasoning redacted]", "thinkingSignature": "eA==", "redacted": True}
    events = [
        at(0, "thinking_start"),
        at(0, "thinking_delta", delta="Hm."),
        at(0, "thinking_end", content="Hm.", contentSignature="c2ln"),
        at(1, "thinking_start"),
        at(1, "thinking_end", content="[Reasoning redacted]", contentSignature="eA==", redacted=True),
        at(2, "text_start"),
        at(2, "text_end", content="A", contentSignature="dA=="),
        at(3, "toolcall_start", id="t", toolName="f"),
        at(3, "toolcall_end", toolCall={"arguments": {}, "thoughtSignature": "dGg=", "namespace": "n"}),
        {**DONE, "reason": "toolUse"},
    ]
    found = list(reader.feed(sse(events)))
    common = {"type": "reasoning.text", "format": "pi-messages-v1", "model": "radius/m"}
    assert found[1:4] == [
        ReasoningDelta("Hm."),
        ReasoningOpaque([{**common, "index": 0, "block": thought}]),
        ReasoningOpaque([{**common, "index": 1, "block": hidden}]),
    ]
    assert reader.replay == {
        "t": {
            "model": "radius/m",
            "blocks": [
                thought,
                hidden,
                {"type": "text", "text": "A", "textSignature": "dA=="},
                {"type": "toolCall", "id": "t", "thoughtSignature": "dGg=", "namespace": "n"},
            ],
        }
    }


def test_nothing_to_keep() -> None:
    """Without a signature or without a call nothing is remembered."""
    call = [at(0, "toolcall_start", id="t", toolName="f"), at(0, "toolcall_end", toolCall={})]
    thought = [at(0, "thinking_start"), at(0, "thinking_end", content="A", contentSignature="s")]
    for events in (call, thought):
        reader = parser()
        reader.feed(sse([*events, DONE]))
        assert reader.replay == {}


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (('{"input": "x', ' = 1"}'), "x = 1"),
        (('{"input": "cut',), '{"input": "cut'),
        (("3",), "3"),
        (("[" * 100_000,), "[" * 100_000),
    ],
)
def test_free_text_tools(pieces: tuple[str, ...], text: str) -> None:
    """The text of a custom tool is taken out of the arguments that carried it; what cannot be is given as it is."""
    begun = at(0, "toolcall_start", id="t", toolName="run")
    deltas = [at(0, "toolcall_delta", delta=piece) for piece in pieces]
    found = content(begun, *deltas, at(0, "toolcall_end", toolCall={}), notes=Notes(custom=frozenset(("run",))))
    assert found == [ToolCallStart(0, "t", "run", custom=True), ToolCallDelta(0, text)]


def test_an_answer_with_calls_waits_for_their_results() -> None:
    """Whatever the last event calls its end."""
    begun = at(0, "toolcall_start", id="t", toolName="run")
    assert read(begun, at(0, "toolcall_end", toolCall={}), DONE)[-1] == Finish("tool_calls")


@pytest.mark.parametrize("reason", ["error", "aborted"])
def test_a_failure_that_says_done(reason: str) -> None:
    """An answer that failed is no answer, whichever event tells it; its words are the provider's."""
    with pytest.raises(ProviderError, match="No more"):
        read({"type": "start"}, {"type": "done", "reason": reason, "errorMessage": "No more."})
    with pytest.raises(ProviderError):
        read({"type": "start"}, {"type": "done", "reason": reason, "usage": USAGE})


def test_a_last_event_without_its_blank_line() -> None:
    """The end of the connection ends the event, too."""
    reader = parser()
    assert list(reader.feed(sse([DONE])[:-1])) == []
    assert list(reader.end())[-1] == Finish("stop")


def test_only_the_first_data_line_counts() -> None:
    """As in pi: further data lines of a frame, other fields and ``[DONE]`` are left out."""
    reader = parser()
    found = reader.feed(b"id: 1\r\ndata: " + jsontext.dump(DONE) + b"\r\ndata: oops\r\n\r\ndata: [DONE]\r\n\r\n")
    assert found[-1] == Finish("stop")
    assert list(reader.end()) == []


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("529 overloaded", 503),
        ('429 {"error":{"message":"slow down"}}', 429),
        ("401: bad key", 502),
        ("Rate limit reached", 429),
        ("something", 502),
        ("", 502),
    ],
)
def test_errors_inside(message: str, status: int) -> None:
    """An ``error`` event raises; the upstream's status stands in front of its text. What came before is not lost."""
    reader = parser()
    with pytest.raises(ProviderError) as raised:
        reader.feed(
            sse([at(0, "text_start"), at(0, "text_delta", delta="A"), {"type": "error", "errorMessage": message}])
        )
    assert raised.value.status == status
    assert message in raised.value.message
    assert raised.value.events == (Started(), TextDelta("A"))


def test_an_error_document() -> None:
    """An error as JSON with status 200 is an error, too."""
    reader = parser()
    reader.feed(b'{"error": {"message": "No such route.", "code": "no_route"}}')
    with pytest.raises(ProviderError, match="No such route") as raised:
        reader.end()
    assert raised.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"data: 7\n\n",
        b"data: {\n\n",
        sse([{"type": "start"}]),
        sse([{"type": "done", "reason": "deferred"}]),
        sse([{"type": "done"}]),
        sse([at(1, "text_start")]),
        sse([at(-1, "text_start")]),
        sse([{"type": "text_start", "contentIndex": True}]),
        sse([{"type": "text_start", "contentIndex": "__proto__"}]),
        sse([at(0, "text_delta", delta="A")]),
        sse([at(0, "text_start"), at(0, "thinking_delta", delta="A")]),
        sse([at(0, "toolcall_start", id="t")]),
    ],
)
def test_nonsense(body: bytes) -> None:
    """What is no complete answer is an error and never a finish."""
    reader = parser()
    with pytest.raises(UpstreamBroken):
        reader.feed(body)
        reader.end()


def test_error_answers() -> None:
    """``{"error": {"message", "code"}}`` with a status."""
    error = parse_failure(429, {"retry-after": "3"}, b'{"error": {"message": "Slow down.", "code": "rate"}}')
    assert (error.status, error.message, error.headers["retry-after"]) == (429, "Slow down.", "3")
