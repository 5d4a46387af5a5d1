"""Large requests: how often a megabyte is held at the same time, from the client's bytes to the provider's."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Final

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.openai.body import parse_body
from piproxy.openai.decode import read
from piproxy.transcript import session_hash
from piproxy.wire.room import Options
from piproxy.wire.rooms import ROOMS, room_for

SIZE: Final = 4_000_000
ROOM: Final = 0.3 if sys.version_info >= (3, 12) else 0.0
"""Behind a text that it writes, the JSON encoder leaves a quarter of its size free, from Python 3.12 on."""
OPTIONS: Final = Options(
    env={
        "AWS_REGION": "us-east-1",
        "AZURE_OPENAI_BASE_URL": "https://resource.openai.azure.com/openai/v1",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_CLOUD_PROJECT": "project",
    }
)
LINES: Final = 'A "word" and a line\n' * (SIZE // 23)
CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FILE: Final = {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + "A" * SIZE}
MESSAGES: Final[dict[str, list[Json]]] = {
    "an image": [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * SIZE}}],
        }
    ],
    "a file": [{"role": "user", "content": [{"type": "file", "file": FILE}]}],
    "a prompt": [{"role": "user", "content": LINES}],
    "a result": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": LINES},
    ],
    "many turns": [{"role": role, "content": "word " * 100} for _ in range(500) for role in ("user", "assistant")],
}


@pytest.mark.parametrize("api", ROOMS)
@pytest.mark.parametrize(
    ("what", "reading", "building"),
    [
        ("an image", 2.1, 2.2),
        ("a file", 2.1, 4.1 + ROOM),
        ("a prompt", 2.2, 3.2),
        ("a result", 2.2, 3.2),
        ("many turns", 4, 9),
    ],
)
def test_large_requests_are_not_held_often(api: str, what: str, reading: float, building: float) -> None:
    """At most so many times the size of the body: while it is read, and while the provider's is made."""
    _build(Chat(model="m", messages=(UserMessage("Hi"),)), api)  # a room is imported when it is first needed
    tracemalloc.start()
    try:
        holder = [bytearray(json.dumps({"model": "m", "messages": MESSAGES[what]}).encode())]
        size = len(holder[0])
        tracemalloc.reset_peak()
        chat = read(parse_body(holder.pop())).chat
        assert tracemalloc.get_traced_memory()[1] / size < reading
        tracemalloc.reset_peak()
        session_hash("p/m", chat.messages)
        if _build(chat, api):
            assert tracemalloc.get_traced_memory()[1] / size < building
    finally:
        tracemalloc.stop()


def _build(chat: Chat, api: str) -> bool:
    """Whether the API takes such requests."""
    model = Model(
        provider="p",
        id="m",
        api=api,
        base_url="https://provider.example/v1",
        input=("text", "image"),
        max_tokens=4096,
        context_window=100_000_000,
    )
    try:
        body = room_for(api).build_request(chat, model, OPTIONS).body
    except UnsupportedParameter:
        return False
    return len(body) > 0
