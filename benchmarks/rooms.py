"""Translation alone, in process: a provider's bytes in, OpenAI's frames out, no sockets.

Of each room's sample answers (``tests/wire/samples``) the first frame that brings text is fed again and again, as a
long answer would.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from piproxy.chat import Chat, UserMessage
from piproxy.events import Event, TextDelta
from piproxy.model import Model
from piproxy.openai.encode import StreamEncoder
from piproxy.wire.room import Options, StreamParser
from piproxy.wire.rooms import ROOMS, room_for

SAMPLES: Final = Path(__file__).parent.parent / "tests" / "wire" / "samples"
EVENTS: Final = 5000
_CHAT: Final = Chat(model="p/m", messages=(UserMessage("Hi"),), stream=True, include_usage=True, max_tokens=2000)
_OPTIONS: Final = Options(
    env={
        "AWS_REGION": "us-east-1",
        "AZURE_OPENAI_BASE_URL": "https://resource.openai.azure.com/openai/v1",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_CLOUD_PROJECT": "project",
    }
)
_TYPES: Final = {".sse": "text/event-stream", ".bin": "application/vnd.amazon.eventstream"}


def measure() -> dict[str, float]:
    """Events per second by api."""
    return {api: round(median(_rate(api) for _ in range(5))) for api in ROOMS}


def _rate(api: str) -> float:
    parser, frame = _in_the_text(api)
    encoder = StreamEncoder(id="x", model="m", created=0, include_usage=True, price=lambda _: None)
    encoder.feed([TextDelta("x")])
    began = time.process_time()
    for _ in range(EVENTS):
        if not encoder.feed(parser.feed(frame)):
            raise ValueError(f"{api}: the frame brings nothing the second time")
    return EVENTS / (time.process_time() - began)


def _in_the_text(api: str) -> tuple[StreamParser, bytes]:
    """A parser in the middle of a text, and a frame that brings more of it."""
    model = Model(provider="p", id="m", api=api, base_url="https://provider.example/v1", max_tokens=4096)
    room = room_for(api)
    request = room.build_request(_CHAT, model, _OPTIONS)
    for path in sorted((SAMPLES / api).iterdir()):
        if path.suffix in _TYPES and "error" not in path.name:
            parser = room.stream_parser(request, _TYPES[path.suffix])
            for frame in _frames(path):
                if _is_text(parser.feed(frame)) and _is_text(parser.feed(frame)):
                    return parser, frame
    raise ValueError(f"no sample of {api} has text")


def _is_text(events: Sequence[Event]) -> bool:
    return len(events) == 1 and isinstance(events[0], TextDelta)


def _frames(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    if path.suffix == ".sse":
        data = data.replace(b"\r\n", b"\n")
        yield from (frame + b"\n\n" for frame in data.split(b"\n\n"))
        return
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at : at + size]
        at += size
