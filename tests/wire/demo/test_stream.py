"""The demo provider's bytes as events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.demo import MODELS, ask

from piproxy.chat import Chat, Tool
from piproxy.errors import ProviderError, UpstreamBroken
from piproxy.events import Finish, Started, TextDelta, ToolCallDelta, ToolCallStart, Usage
from piproxy.upstream.demo.script import script
from piproxy.upstream.demo.steps import Data
from piproxy.wire.demo.request import build_request
from piproxy.wire.demo.stream import DemoParser, stream_parser
from piproxy.wire.room import Options

START = b'event: start\ndata: {"id": "demo-1", "model": "echo"}\n\n'


def parser() -> DemoParser:
    return stream_parser(build_request(ask("Hi"), MODELS["echo"], Options()), "text/event-stream")


def test_every_event_has_its_meaning() -> None:
    """Each frame becomes the event of its name."""
    body = START + (
        b'event: call\ndata: {"id": "call_1", "name": "f", "custom": false}\n\n'
        b'event: arguments\ndata: {"call": 0, "text": "{}"}\n\n'
        b'event: usage\ndata: {"input": 1, "output": 2, "cache_read": 3}\n\n'
        b'event: stop\ndata: {"reason": "tool_calls"}\n\n'
    )
    assert parser().feed(body) == [
        Started("demo-1", "echo"),
        ToolCallStart(0, "call_1", "f"),
        ToolCallDelta(0, "{}"),
        Usage(input=1, output=2, cache_read=3),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        b"event: text\ndata: {not JSON\n\n",
        b"event: text\ndata: []\n\n",
        b"event: text\ndata: {}\n\n",
        b'event: arguments\ndata: {"call": 0, "text": "{}"}\n\n',
        b'event: usage\ndata: {"input": "many"}\n\n',
        b'event: stop\ndata: {"reason": "tired"}\n\n',
        b'event: song\ndata: {"text": "la"}\n\n',
    ],
)
def test_nonsense_breaks_the_answer(frame: bytes) -> None:
    """A frame that makes no sense is an error, and keeps the events before it."""
    with pytest.raises(UpstreamBroken) as caught:
        parser().feed(START + frame)
    assert caught.value.events == (Started("demo-1", "echo"),)


def test_text_before_the_start_breaks_the_answer() -> None:
    """An answer begins with its start."""
    with pytest.raises(UpstreamBroken):
        parser().feed(b'event: text\ndata: {"text": "Hi"}\n\n')


def test_error_inside_the_stream() -> None:
    """The provider's error comes with the text before it."""
    with pytest.raises(ProviderError) as caught:
        parser().feed(
            START + b'event: text\ndata: {"text": "Hi"}\n\n'
            b'event: error\ndata: {"error": {"message": "It failed.", "type": "api_error"}}\n\n'
        )
    assert (caught.value.message, caught.value.status) == ("It failed.", 502)
    assert caught.value.events == (Started("demo-1", "echo"), TextDelta("Hi"))


def test_what_follows_the_finish_is_ignored() -> None:
    """Nothing after ``stop`` counts."""
    reader = parser()
    reader.feed(START + b'event: stop\ndata: {"reason": "stop"}\n\n')
    assert list(reader.feed(b"event: text\ndata: {not JSON\n\n")) == []
    assert list(reader.end()) == []


@pytest.mark.parametrize(
    "chat",
    [
        ask("one two three"),
        ask("Hi", "thinking"),
        ask("Hi", "refuse"),
        replace(ask("Hi", "tools"), tools=(Tool(name="f", parameters={"type": "object"}),)),
    ],
    ids=["text", "thinking", "refusal", "call"],
)
def test_what_is_counted_on_the_way_is_what_the_provider_counts_in_the_end(chat: Chat) -> None:
    """Nothing before it begins, an estimate of all that has come, then the provider's own numbers."""
    request = build_request(chat, MODELS[chat.model.removeprefix("demo/")], Options())
    frames = [step.body for step in script(request.body) if isinstance(step, Data)]
    reader = stream_parser(request, "text/event-stream")
    assert reader.usage_so_far is None
    for frame in frames[:-2]:
        reader.feed(frame)
    counted = reader.usage_so_far
    assert counted is not None
    assert counted.output == len(frames) - 3
    (told,) = reader.feed(frames[-2])
    assert told == reader.usage_so_far == replace(counted, estimated=False)
