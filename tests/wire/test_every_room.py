"""The contract over all rooms: what is true of one provider API is true of every one."""

from __future__ import annotations

import builtins
import io
import os
import random
import secrets
import socket
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import pytest

from piproxy.chat import AssistantMessage, Chat, SystemMessage, Tool, ToolCall, ToolMessage, UserMessage
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
from piproxy.events import (
    Event,
    Finish,
    ReasoningDelta,
    ReasoningOpaque,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.model import Model
from piproxy.wire.room import Options, WireRequest
from piproxy.wire.rooms import ROOMS, room_for

SAMPLES: Final = Path(__file__).parent / "samples"
CONTENT_TYPES: Final = {
    ".sse": "text/event-stream",
    ".bin": "application/vnd.amazon.eventstream",
    ".json": "application/json",
}
BASE_URLS: Final = {
    "google-generative-ai": "https://generativelanguage.googleapis.com/v1beta",
    "google-vertex": "https://{location}-aiplatform.googleapis.com",
    "bedrock-converse-stream": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "openai-codex-responses": "https://chatgpt.com/backend-api",
}
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT: Final = Chat(
    model="provider/model",
    messages=(
        SystemMessage("You help."),
        UserMessage("What is the weather in Köln?"),
        AssistantMessage(tool_calls=(ToolCall("call_abc", "get_weather", '{"city": "Köln"}'),)),
        ToolMessage("rain", "call_abc"),
        UserMessage("And in Paris, and what time is it there?"),
    ),
    stream=True,
    include_usage=True,
    tools=(
        Tool("get_weather", "The weather of a city.", SCHEMA),
        Tool("get_time", "The time in a city.", SCHEMA),
    ),
    max_tokens=2000,
)
OPTIONS: Final = Options(
    session_id="0f1e2d3c",
    env={
        "AWS_REGION": "us-east-1",
        "AZURE_OPENAI_BASE_URL": "https://resource.openai.azure.com/openai/v1",
        "CLOUDFLARE_ACCOUNT_ID": "account",
        "CLOUDFLARE_GATEWAY_ID": "gateway",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_CLOUD_PROJECT": "project",
    },
    wire_id="4f9a0c1e8b7d4c55a3e2d1f0b6c7a891",
)
POSITIONS: Final = 250
"""How many places a sample is cut at; every byte is a cut in the byte-by-byte test."""


@dataclass(frozen=True)
class Sample:
    api: str
    path: Path

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.path.suffix]

    @property
    def fails(self) -> bool:
        return self.path.name.startswith("error-")


def samples(api: str) -> list[Sample]:
    return [Sample(api, path) for path in sorted((SAMPLES / api).glob("*.*")) if path.suffix in CONTENT_TYPES]


ALL: Final = [sample for api in ROOMS for sample in samples(api)]
COMPLETE: Final = [sample for sample in ALL if not sample.fails]


def named(found: list[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", found, ids=[f"{s.api}/{s.path.name}" for s in found])


every_api = pytest.mark.parametrize("api", list(ROOMS))


def model(api: str) -> Model:
    return Model(
        provider="provider",
        id="model",
        api=api,
        base_url=BASE_URLS.get(api, "https://provider.example/v1"),
        reasoning=True,
        input=("text", "image"),
    )


@cache
def request_for(api: str) -> WireRequest:
    return room_for(api).build_request(CHAT, model(api), OPTIONS)


def parse(sample: Sample, pieces: Iterable[bytes]) -> list[Event]:
    """All events of the pieces and of a clean end."""
    parser = room_for(sample.api).stream_parser(request_for(sample.api), sample.content_type)
    events: list[Event] = []
    for piece in pieces:
        events.extend(parser.feed(piece))
    events.extend(parser.end())
    return events


def failure(sample: Sample, pieces: Iterable[bytes]) -> tuple[UpstreamError, list[Event]]:
    """The error that the pieces end in, and all events before it."""
    parser = room_for(sample.api).stream_parser(request_for(sample.api), sample.content_type)
    events: list[Event] = []
    try:
        for piece in pieces:
            events.extend(parser.feed(piece))
        events.extend(parser.end())
    except (ProviderError, UpstreamBroken) as error:
        return error, [*events, *error.events]
    pytest.fail("no error came")


def one_by_one(body: bytes) -> Iterator[bytes]:
    return (body[at : at + 1] for at in range(len(body)))


def positions(body: bytes) -> list[int]:
    """Places to cut at: evenly spread, and every one of the last hundred bytes."""
    step = max(1, len(body) // POSITIONS)
    return sorted({*range(0, len(body), step), *range(max(0, len(body) - 100), len(body))})


def without_usage(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Usage)]


@every_api
def test_room_has_samples(api: str) -> None:
    """Every room has a complete answer with text, one with a tool call, and an error inside an answer."""
    assert samples(api), f"tests/wire/samples/{api}/ has no samples; its README says what belongs there"
    answers = [parse(sample, [sample.path.read_bytes()]) for sample in samples(api) if not sample.fails]
    assert any(isinstance(event, TextDelta) for events in answers for event in events), "no answer with text"
    assert any(isinstance(event, ToolCallDelta) for events in answers for event in events), "no answer with a tool call"
    assert any(sample.fails for sample in samples(api)), "no error-* sample"


@named(COMPLETE)
def test_cuts_change_nothing(sample: Sample) -> None:
    """Whole, byte by byte and in three pieces, the same bytes give the same events."""
    body = sample.path.read_bytes()
    whole = parse(sample, [body])
    assert parse(sample, one_by_one(body)) == whole
    places = positions(body)
    for first, second in zip(places, places[len(places) // 3 :], strict=False):
        assert parse(sample, [body[:first], body[first:second], b"", body[second:]]) == whole, (first, second)


@named(COMPLETE)
def test_order_of_events(sample: Sample) -> None:
    """Started comes first, Finish last and once, usage at most once, and tool calls have dense indexes."""
    events = parse(sample, [sample.path.read_bytes()])
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, Started) for event in events) == 1
    assert isinstance(events[-1], Finish)
    assert sum(isinstance(event, Finish) for event in events) == 1
    assert sum(isinstance(event, Usage) for event in events) <= 1
    starts: list[ToolCallStart] = []
    for event in events:
        if isinstance(event, ToolCallStart):
            assert event.index == len(starts)
            assert event.id
            assert event.name
            starts.append(event)
        if isinstance(event, ToolCallDelta):
            assert event.index < len(starts)
            assert event.arguments
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta):
            assert event.text
        if isinstance(event, ReasoningOpaque):
            assert event.value is not None
    assert len({start.id for start in starts}) == len(starts)


@named(COMPLETE)
def test_cut_short_is_never_a_finish(sample: Sample) -> None:
    """A connection that ends early is an error, unless nothing but usage and trailing bytes was missing."""
    body = sample.path.read_bytes()
    whole = without_usage(parse(sample, [body]))
    broken = 0
    for place in positions(body):
        try:
            cut = parse(sample, [body[:place]])
        except (UpstreamBroken, ProviderError):
            broken += 1
        else:
            assert without_usage(cut) == whole, f"cut at {place} of {len(body)}"
    assert broken


@named(COMPLETE)
def test_no_finish_before_the_end_of_content(sample: Sample) -> None:
    """Events that were given are never followed by an end that makes less or more of them."""
    body = sample.path.read_bytes()
    whole = without_usage(parse(sample, [body]))
    room = room_for(sample.api)
    for place in positions(body):
        parser = room.stream_parser(request_for(sample.api), sample.content_type)
        given = without_usage(parser.feed(body[:place]))
        assert given == whole[: len(given)], f"cut at {place} of {len(body)}"


@named([sample for sample in ALL if sample.fails])
def test_error_inside_an_answer(sample: Sample) -> None:
    """An error inside an answer of status 200 raises, however its bytes are cut, and loses nothing before it."""
    body = sample.path.read_bytes()
    whole, before = failure(sample, [body])
    slow, slowly = failure(sample, one_by_one(body))
    assert (slow.status, slow.message) == (whole.status, whole.message)
    assert whole.status >= 400
    assert slowly == before
    assert not any(isinstance(event, Finish) for event in before)


@every_api
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/html", ""])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe nonsense",
        b"data: {not json\n\n",
        b"data: 17\n\n",
        b'"text"',
        b"<html><body>Bad gateway</body></html>",
    ],
)
def test_nonsense_is_an_error(api: str, content_type: str, body: bytes) -> None:
    """Bytes that are no answer end in an error and in nothing else."""
    parser = room_for(api).stream_parser(request_for(api), content_type)
    with pytest.raises((UpstreamBroken, ProviderError)):
        if not any(isinstance(event, Finish) for event in parser.feed(body)):
            parser.end()


@every_api
@pytest.mark.parametrize("status", [400, 401, 404, 413, 418, 429, 500, 503, 529])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"error": {"message": "The words of the provider.", "type": "some_error", "code": 17}}',
        b'{"message": "The words of the provider."}',
        b"<html><head><title>Bad gateway</title></head></html>",
        b"\xff\x00",
        b'[{"error": null}]',
        b'{"error": []}',
        b"null",
    ],
)
def test_failure_is_always_an_error(api: str, status: int, body: bytes) -> None:
    """An answer that is not 2xx becomes an error of its class, and keeps the provider's words."""
    failure = room_for(api).parse_failure(status, {"retry-after": "3"}, body)
    assert isinstance(failure, ProviderError)
    assert failure.upstream_status == status
    assert failure.message
    assert failure.status >= (500 if status >= 500 else 400)
    if b"The words" in body:
        assert "The words of the provider." in failure.message
    if status == 429:
        assert failure.status == 429
        assert failure.headers["retry-after"] == "3"


@every_api
def test_request_is_deterministic(api: str) -> None:
    """The same chat gives the same request, byte for byte."""
    room = room_for(api)
    first = room.build_request(CHAT, model(api), OPTIONS)
    second = room.build_request(CHAT, model(api), OPTIONS)
    assert (first.url, first.body, first.headers, first.dropped) == (
        second.url,
        second.body,
        second.headers,
        second.dropped,
    )
    assert first.url.startswith("https://") or api == "demo"
    assert not {name.lower() for name in first.headers} & {"authorization", "x-api-key", "api-key", "x-goog-api-key"}


@every_api
def test_room_does_no_io(api: str) -> None:
    """Building and parsing touch no file, socket, process, clock or source of randomness."""
    bodies = [(sample, sample.path.read_bytes()) for sample in samples(api) if not sample.fails]
    room = room_for(api)
    for sample, body in bodies:
        parse(sample, [body])
    room.parse_failure(500, {}, b"{}")
    with no_io():
        room.build_request(CHAT, model(api), OPTIONS)
        room.parse_failure(500, {}, b"{}")
        for sample, body in bodies:
            parse(sample, [body])


@contextmanager
def no_io() -> Iterator[None]:
    """Everything that reaches out of the process raises while this is open."""

    def forbidden(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError("a room may do no I/O")

    with pytest.MonkeyPatch.context() as patch:
        for owner, names in (
            (builtins, ("open",)),
            (io, ("open",)),
            (os, ("open", "urandom", "getpid", "stat", "listdir")),
            (random, ("random", "randint", "choice", "getrandbits")),
            (secrets, ("token_hex", "token_bytes", "token_urlsafe")),
            (socket, ("socket", "create_connection", "getaddrinfo")),
            (subprocess, ("Popen", "run")),
            (time, ("time", "time_ns", "monotonic", "perf_counter", "sleep")),
            (uuid, ("uuid1", "uuid4")),
        ):
            for name in names:
                patch.setattr(owner, name, forbidden)
        yield
