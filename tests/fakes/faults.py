"""Everything that a provider can do wrong with an answer, as data; and what an honest gateway makes of it.

A :class:`Plan` is what goes over the line, byte by byte, and what becomes of the connection. Next to it stands what the
gateway's room will be given of it, so that :func:`verdict` can tell, with the pure room alone, which events and which
error are right.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import trio
from fakes.line import Peer

from piproxy.chat import Chat
from piproxy.errors import PiproxyError, UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from piproxy.events import Event, Finish
from piproxy.jsontext import parse
from piproxy.model import Model
from piproxy.openai.encode import Fold, StreamEncoder
from piproxy.wire.room import Options, WireRequest
from piproxy.wire.rooms import room_for

SAMPLES = Path(__file__).parents[1] / "wire" / "samples"
TYPES = {".sse": "text/event-stream", ".bin": "application/vnd.amazon.eventstream", ".json": "application/json"}
OK = b"HTTP/1.1 200 OK\r\n"
END = b"0\r\n\r\n"

Then = Literal["stay", "end", "reset"]
"""What becomes of the connection: the provider keeps it and says no more, closes it, or resets it."""
Given = Literal["whole", "broken", "silent", "nothing", "never"]
"""How the body that the room sees ends: well, by a broken connection, never; or no answer came, or not in time."""


@dataclass(frozen=True)
class Sample:
    """One answer of one API."""

    api: str
    name: str
    body: bytes
    content_type: str

    @property
    def fails(self) -> bool:
        return self.name.startswith("error-")

    def __str__(self) -> str:
        return f"{self.api}/{self.name}"


def samples(api: str) -> list[Sample]:
    paths = sorted(path for path in (SAMPLES / api).iterdir() if path.suffix in TYPES)
    return [Sample(api, path.name, path.read_bytes(), TYPES[path.suffix]) for path in paths]


@dataclass(frozen=True, kw_only=True)
class Plan:
    pieces: Sequence[bytes] = ()
    then: Then = "end"
    given: Given = "whole"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    body: bytes = b""
    reads: bool = True
    """Does the provider read the request first?"""
    connects: bool = True

    async def play(self, peer: Peer) -> None:
        await (peer.request() if self.reads else peer.head())
        await peer.say(*self.pieces)
        if self.then != "stay":
            peer.end() if self.then == "end" else peer.reset()
            await trio.sleep_forever()


Fault = Callable[[Sample], Plan]


def head(content_type: str, *more: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, *([b"content-type: " + content_type.encode()] if content_type else []), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def answer(sample: Sample, body: bytes, *, ends: bool = True, content_type: str | None = None, **more: Any) -> Plan:
    """A chunked answer of this body; without ``ends`` its last chunk is missing."""
    kind = sample.content_type if content_type is None else content_type
    pieces = (head(kind, b"transfer-encoding: chunked"), chunk(body), END if ends else b"")
    plan = Plan(pieces=pieces, then="stay", given="whole" if ends else "broken", content_type=kind, body=body)
    return replace(plan, **more)


# At one place of the answer


def ends_early(sample: Sample, at: int) -> Plan:
    """A clean end, as if that were all."""
    return answer(sample, sample.body[:at])


def breaks_off(sample: Sample, at: int) -> Plan:
    """The connection is closed between two chunks, or in one."""
    plan = answer(sample, sample.body[:at], ends=False, then="end")
    return plan if at % 2 else replace(plan, pieces=(plan.pieces[0], b"%x\r\n" % (at + 9), sample.body[:at]))


def resets(sample: Sample, at: int) -> Plan:
    return answer(sample, sample.body[:at], ends=False, then="reset")


def stalls(sample: Sample, at: int) -> Plan:
    return answer(sample, sample.body[:at], ends=False, given="silent")


PLACES: Mapping[str, Callable[[Sample, int], Plan]] = {
    "ends early": ends_early,
    "breaks off": breaks_off,
    "resets": resets,
    "stalls": stalls,
}


def places(size: int, most: int) -> list[int]:
    """Up to ``most`` places, the first and the last bytes among them."""
    if size <= most:
        return list(range(size))
    step = size / (most - 4)
    return sorted({0, 1, size - 2, size - 1, *(int(number * step) for number in range(most - 4))})


# Of every other kind


def _no_answer(*pieces: bytes, then: Then = "end", given: Given = "nothing", **more: Any) -> Fault:
    plan = Plan(pieces=pieces, then=then, given=given, **more)
    return lambda _: plan


def _refusal(
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    extra: Mapping[str, str] | None = None,
    said: int | None = None,
    then: Then = "stay",
    reads: bool = True,
) -> Fault:
    """An error status. ``said``: only so many bytes of the body come."""
    headers = {"content-type": content_type, **(extra or {})}
    lines = [f"{name}: {value}".encode() for name, value in (extra or {}).items()]
    first = head(content_type, b"content-length: %d" % len(body), *lines, status=b"%d Reason" % status)
    plan = Plan(pieces=(first, body[:said]), then=then, status=status, headers=headers, body=body[:said], reads=reads)
    return lambda _: plan


def _half(sample: Sample) -> bytes:
    """Up to the frame boundary that is nearest to the middle."""
    middle = len(sample.body) // 2
    at = sample.body.rfind(b"\n\n", 0, middle)
    return sample.body[: at + 2] if at >= 0 else sample.body[:middle]


def _then(tail: bytes) -> Fault:
    return lambda sample: answer(sample, _half(sample) + tail)


def _typed(content_type: str) -> Fault:
    return lambda sample: answer(sample, sample.body, content_type=content_type)


def _after(tail: bytes, then: Then = "stay") -> Fault:
    """A complete answer, and something behind it that must harm nobody: in the same chunk, or in one of its own."""

    def plan(sample: Sample) -> Plan:
        first = head(sample.content_type, b"transfer-encoding: chunked")
        return Plan(
            pieces=(first, chunk(sample.body), tail), then=then, content_type=sample.content_type, body=sample.body
        )

    return plan


def _with(tail: Callable[[Sample], bytes]) -> Fault:
    def plan(sample: Sample) -> Plan:
        whole = sample.body + tail(sample)
        first = head(sample.content_type, b"transfer-encoding: chunked")
        return Plan(pieces=(first, chunk(whole), END), then="stay", content_type=sample.content_type, body=sample.body)

    return plan


def _byte_by_byte(sample: Sample) -> Plan:
    """As far as that is bearable; the rest in one piece."""
    pieces = [chunk(sample.body[at : at + 1]) for at in range(400)] + [chunk(sample.body[400:])]
    return replace(answer(sample, sample.body), pieces=(answer(sample, b"").pieces[0], *pieces, END))


def _length(sample: Sample, length: int) -> Plan:
    whole = length <= len(sample.body)
    return Plan(
        pieces=(head(sample.content_type, b"content-length: %d" % length), sample.body),
        given="whole" if whole else "broken",
        content_type=sample.content_type,
        body=sample.body[:length],
    )


def _zipped(cut: int | None, *, ends: bool) -> Fault:
    def plan(sample: Sample) -> Plan:
        zipped = gzip.compress(sample.body)[:cut]
        return Plan(
            pieces=(head(sample.content_type, b"content-encoding: gzip", b"connection: close"), zipped),
            given="whole" if ends else "broken",
            content_type=sample.content_type,
            body=zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(zipped),
        )

    return plan


ERROR = b'{"error":{"message":"The words of the provider.","type":"some_error","code":17}}'
HTML = b"<html><head><title>Bad gateway</title></head><body>nginx</body></html>"
NONSENSE = b"\x00\x01\xfe\xff{]}\r\n\r\ndata: {]\n\n" + bytes(range(128, 256)) + b"\n\n"

FAULTS: Mapping[str, Fault] = {
    # no answer
    "refuses the connection": _no_answer(connects=False),
    "never connects": _no_answer(connects=False, given="never"),
    "closes without a word": _no_answer(),
    "resets without a word": _no_answer(then="reset"),
    "resets in mid-request": _no_answer(then="reset", reads=False),
    "says nothing": _no_answer(then="stay", given="never"),
    "speaks no HTTP": _no_answer(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", then="stay"),
    "half a status line": _no_answer(b"HTTP/1.1 20"),
    "half a head": _no_answer(OK + b"content-type: te", then="reset"),
    "never ends its head": _no_answer(OK + b"content-type: te", then="stay", given="never"),
    "only continues": _no_answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 3, then="stay", given="never"),
    "an endless head": _no_answer(OK + b"".join(b"x-%d: a\r\n" % number for number in range(40_000)), then="stay"),
    # refusals
    "400": _refusal(400, ERROR),
    "401": _refusal(401, ERROR),
    "403": _refusal(403, HTML, content_type="text/html"),
    "404": _refusal(404, ERROR),
    "413 before the request is read": _refusal(413, ERROR, reads=False, then="end"),
    "429": _refusal(429, ERROR, extra={"retry-after": "7"}),
    "429 that breaks off": _refusal(429, ERROR, extra={"retry-after": "7"}, said=20, then="reset"),
    "429 that stalls": _refusal(429, ERROR, extra={"retry-after": "7"}, said=0),
    "500": _refusal(500, b"", content_type="text/plain"),
    "502 of a web server": _refusal(502, HTML, content_type="text/html"),
    "503 of binary": _refusal(503, NONSENSE),
    "529": _refusal(529, ERROR),
    "a redirect": _refusal(302, b"", extra={"location": "http://elsewhere.test/"}),
    "304": lambda _: Plan(pieces=(head("", status=b"304 Not Modified"),), then="stay", status=304),
    # nonsense
    "204": lambda _: Plan(pieces=(head("", status=b"204 No Content"),), then="stay"),
    "an empty body": lambda sample: answer(sample, b""),
    "a page": lambda sample: answer(sample, HTML, content_type="text/html"),
    "a page that lies": lambda sample: answer(sample, HTML),
    "only nonsense": lambda sample: answer(sample, NONSENSE),
    "turns into nonsense": _then(NONSENSE),
    "turns into a page": _then(HTML),
    "turns into an error document": _then(ERROR),
    "turns into an error document of many lines": _then(b'{\n  "error": {\n    "message": "No more."\n  }\n}\n'),
    "no chunk at all": lambda sample: Plan(
        pieces=(head(sample.content_type, b"transfer-encoding: chunked"), b"hello\r\n"),
        then="stay",
        given="broken",
        content_type=sample.content_type,
    ),
    "breaks its chunks": lambda sample: replace(
        answer(sample, _half(sample), ends=False),
        pieces=(*answer(sample, _half(sample), ends=False).pieces, b"zz\r\n"),
    ),
    "a chunk that is longer": lambda sample: replace(
        answer(sample, _half(sample), ends=False),
        pieces=(answer(sample, b"").pieces[0], chunk(_half(sample))[:-2] + b"more\r\n"),
    ),
    # lies
    "a longer length": lambda sample: _length(sample, len(sample.body) + 10),
    "a shorter length": lambda sample: _length(sample, len(sample.body) - len(sample.body) // 3),
    "a length of nothing": lambda sample: _length(sample, 0),
    "called JSON": _typed("application/json; charset=utf-8"),
    "called an event stream": _typed("text/event-stream"),
    "called a page": _typed("text/html"),
    "called nothing": _typed(""),
    "zipped unasked": _zipped(None, ends=True),
    "zipped and cut": _zipped(-20, ends=False),
    "zipped, it says": lambda sample: replace(
        answer(sample, b"", given="broken"),
        pieces=(head(sample.content_type, b"content-encoding: gzip", b"connection: close"), sample.body),
        then="end",
    ),
    # oddities that are no fault
    "byte by byte": _byte_by_byte,
    "without a length": lambda sample: replace(
        answer(sample, sample.body), pieces=(head(sample.content_type), sample.body), then="end"
    ),
    "an early hint": lambda sample: replace(
        answer(sample, sample.body),
        pieces=(b"HTTP/1.1 103 Early Hints\r\n\r\n", *answer(sample, sample.body).pieces),
    ),
}
"""Faults whose right end the room alone can tell."""

AFTER: Mapping[str, Fault] = {
    "says it twice": _with(lambda sample: sample.body),
    "talks on": _with(lambda sample: b'data: {"choices":[{"index":0,"delta":{"content":"more"}}]}\n\n'),
    "nonsense in the same bytes": _with(lambda sample: NONSENSE),
    "says it twice, later": lambda sample: _after(chunk(sample.body) + END)(sample),
    "an error document, later": _after(chunk(ERROR) + END),
    "nonsense, later": _after(chunk(NONSENSE) + END),
    "broken chunks": _after(b"zz\r\n"),
    "an end without a last chunk": _after(b"", "end"),
    "a reset": _after(b"", "reset"),
    "silence": _after(b""),
    "a flood": _after(b"".join(chunk(b": still here\n\n" * 100) for _ in range(50))),
}
"""What comes behind an answer that has said that it is complete: it harms nobody."""


# What is right


@dataclass(frozen=True)
class Verdict:
    """The events that the client must see, and the error after them, if any."""

    events: tuple[Event, ...]
    error: PiproxyError | None

    @property
    def complete(self) -> bool:
        return self.error is None

    def stream(self) -> list[Any]:
        """The frames of a stream, ``[DONE]`` last; or no frame, if the status has to tell."""
        encoder = StreamEncoder(**ABOUT)
        data = encoder.feed(self.events)
        if self.error is not None:
            data += encoder.fail(self.error)
        return parsed(data)

    def whole(self) -> bytes:
        return Fold(**ABOUT).feed(self.events)


ABOUT: Mapping[str, Any] = {"id": "x", "model": "x", "created": 1, "include_usage": True, "price": lambda _: None}


def parsed(data: bytes) -> list[Any]:
    """The ``data:`` frames of a stream."""
    texts = [line[6:] for line in data.split(b"\n") if line.startswith(b"data: ")]
    return ["[DONE]" if text == b"[DONE]" else parse(text) for text in texts]


def verdict(plan: Plan, sample: Sample, chat: Chat, model: Model, *, request: WireRequest | None = None) -> Verdict:
    """With the pure room, and nothing of the network."""
    room = room_for(sample.api)
    if plan.given in {"nothing", "never"}:
        return Verdict((), UpstreamUnreachable("-") if plan.given == "nothing" else UpstreamTimeout("-"))
    if not 200 <= plan.status < 300:
        return Verdict((), room.parse_failure(plan.status, plan.headers, plan.body))
    request = request or room.build_request(chat, model, Options(wire_id="w"))
    parser = room.stream_parser(request, plan.content_type.partition(";")[0])
    events: list[Event] = []
    try:
        for data in [plan.body] if plan.body else []:
            events += parser.feed(data)
        if not finished(events) and plan.given == "whole":
            events += parser.end()
    except UpstreamError as error:
        events += error.events
        return Verdict(tuple(events), None if finished(events) else error)
    if finished(events):
        return Verdict(tuple(events), None)
    return Verdict(tuple(events), UpstreamTimeout("-") if plan.given == "silent" else UpstreamBroken("-"))


def finished(events: Sequence[Event]) -> bool:
    return bool(events) and isinstance(events[-1], Finish)


def named_faults(sample: Sample) -> Iterator[tuple[str, Plan]]:
    for name, fault in FAULTS.items():
        yield name, fault(sample)


def at_places(sample: Sample, most: int) -> Iterator[tuple[str, Plan]]:
    """Each fault that has a place, at up to ``most`` of them."""
    for at in places(len(sample.body), most):
        for name, make in PLACES.items():
            yield f"{name} at {at}", make(sample, at)


def after_the_end(sample: Sample) -> Iterator[tuple[str, Plan]]:
    for name, fault in AFTER.items():
        yield name, fault(sample)
