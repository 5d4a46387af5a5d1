"""Short ways to a chat completions model, request and answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from piproxy.chat import Chat, Message, UserMessage
from piproxy.events import Event
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.request import Notes, build_request
from piproxy.wire.openai_completions.stream import CompletionsParser
from piproxy.wire.room import Options

OPENAI = "https://api.openai.com/v1"
CUSTOM = "http://127.0.0.1:8000/v1"


def model(provider: str = "mine", base_url: str = CUSTOM, **fields: Any) -> Model:
    """A reasoning model with images, unless said otherwise."""
    given = {"id": "m", "reasoning": True, "input": ("text", "image"), **fields}
    return Model(provider=provider, base_url=base_url, api="openai-completions", **given)


def chat(*messages: Message, **fields: Any) -> Chat:
    return Chat(model="mine/m", messages=messages or (UserMessage("Hi"),), **fields)


def body(request: Chat, to: Model, **options: Any) -> dict[str, Json]:
    """The JSON that goes upstream."""
    return dict(json.loads(build_request(request, to, Options(**options)).body))


def chunk(delta: Json = None, finish: str | None = None, **more: Json) -> dict[str, Json]:
    """One ``chat.completion.chunk``."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "up", "choices": [choice], **more}


def sse(*frames: Json, done: bool = True) -> bytes:
    """Frames as an event stream; a text is written as it is."""
    lines = [frame if isinstance(frame, str) else f"data: {json.dumps(frame)}\n\n" for frame in frames]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def parse(data: bytes, notes: Notes | None = None) -> list[Event]:
    """Events of a whole answer, byte by byte; every other cut is the contract test's business."""
    return parse_pieces((data[at : at + 1] for at in range(len(data))), notes)


def parse_pieces(pieces: Iterable[bytes], notes: Notes | None = None) -> list[Event]:
    parser = CompletionsParser(notes or Notes(wire_id="w1"))
    events: list[Event] = []
    for piece in pieces:
        events.extend(parser.feed(piece))
    events.extend(parser.end())
    return events
