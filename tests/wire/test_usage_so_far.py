"""What a room knows of an answer's cost before its end."""

from __future__ import annotations

import json

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.events import Usage
from piproxy.model import Model
from piproxy.wire.room import Options, TellsUsage
from piproxy.wire.rooms import room_for

CHAT = Chat(model="m", messages=(UserMessage("x" * 350),), stream=True)


def _sse(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _choice(text: str) -> dict[str, object]:
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


COUNTED = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
ANTHROPIC = _sse({"type": "message_start", "message": {"id": "1", "model": "m", "content": []}}) + _sse(
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "y" * 35}}
)
PI = _sse({"type": "text_start", "contentIndex": 0}) + _sse(
    {"type": "text_delta", "contentIndex": 0, "delta": "y" * 35}
)
PARTS = {"content": {"role": "model", "parts": [{"text": "y" * 35}]}}


@pytest.mark.parametrize(
    ("api", "data", "known"),
    [
        ("openai-completions", _sse(_choice("y" * 35)), (None, 10, True)),
        (
            "openai-completions",
            _sse({**_choice("y" * 35), "usage": {"prompt_tokens": 7, "completion_tokens": 3}}),
            (7, 3, False),
        ),
        (
            "openai-responses",
            _sse({"type": "response.created", "response": {"id": "r", "model": "m"}})
            + _sse({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "y" * 35}),
            (None, 10, True),
        ),
        ("mistral-conversations", _sse(_choice("y" * 35)), (None, 10, True)),
        ("anthropic-messages", ANTHROPIC, (None, 10, True)),
        ("pi-messages", PI, (None, 10, True)),
        ("google-generative-ai", _sse({"candidates": [PARTS]}), (None, 10, True)),
        ("google-generative-ai", _sse({"candidates": [PARTS], "usageMetadata": COUNTED}), (7, 3, False)),
    ],
)
def test_the_provider_counts_or_we_do(api: str, data: bytes, known: tuple[int | None, int, bool]) -> None:
    """Nothing before the answer begins; then its own numbers, or characters."""
    room = room_for(api)
    model = Model(provider="p", id="m", api=api, base_url="http://p.test/v1")
    parser = room.stream_parser(room.build_request(CHAT, model, Options()), "text/event-stream")
    assert isinstance(parser, TellsUsage)
    assert parser.usage_so_far is None
    parser.feed(data)
    usage = parser.usage_so_far
    assert usage is not None
    prompt, output, estimated = known
    assert (usage.output, usage.estimated) == (output, estimated)
    assert usage.input >= 100 if prompt is None else usage.input == prompt


@pytest.mark.parametrize(
    ("api", "last"),
    [
        (
            "anthropic-messages",
            [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}],
        ),
        ("pi-messages", [{"type": "done", "reason": "stop"}]),
    ],
)
def test_what_nobody_counted_is_estimated(api: str, last: list[object]) -> None:
    """Whoever asks for usage waits for it: an answer that ends without a count has one all the same."""
    room = room_for(api)
    model = Model(provider="p", id="m", api=api, base_url="http://p.test/v1")
    parser = room.stream_parser(room.build_request(CHAT, model, Options()), "text/event-stream")
    events = parser.feed((ANTHROPIC if api.startswith("anthropic") else PI) + b"".join(map(_sse, last)))
    usage = events[-2]
    assert isinstance(usage, Usage)
    assert (usage.input >= 100, usage.output, usage.estimated) == (True, 10, True)
