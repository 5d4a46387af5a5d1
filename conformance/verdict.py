"""What is wrong with a case that was played: readable differences, or nothing."""

from __future__ import annotations

import json
import re
from math import inf
from typing import Final

from conformance.blocks import CLOSED, GOT, SENT, Block, joined, numbers
from conformance.case import Case, Exchange, exchanges
from conformance.compare import difference, rows, upstream_rows
from conformance.inside import Played
from conformance.messages import Reader

INSTANT: Final = 0.001
"""Virtual seconds; recordings are written in milliseconds."""
_SAID: Final = re.compile(
    rb'"(?:content|reasoning_content|arguments|text|thinking|partial_json|delta)": ?("(?:[^"\\]|\\.)+")'
)


def verdict(case: Case, played: Played) -> list[str]:
    """Differences between the recording and what piproxy did now."""
    found = [*played.troubles, *_answers(case, played), *_asked(case, played), *_left(case, played)]
    return [text for text in (*found, *_ended(case, played), *late(played), *held(played)) if text]


def _answers(case: Case, played: Played) -> list[str]:
    """What the client got."""
    then = exchanges(case.recording.request, case.recording.expected)
    now = exchanges(played.recording.request, played.recording.expected)
    found = [] if len(then) == len(now) else [f"{len(then)} requests were recorded, {len(now)} played"]
    for index, (old, new) in enumerate(zip(then, now, strict=False), 1):
        path = old.request.get(":path")
        found.append(difference(rows(old), rows(new), f"answer {index} ({path})"))
    return found


def _asked(case: Case, played: Played) -> list[str]:
    """What the provider got."""
    then, now = case.recording.upstream, played.recording.upstream
    if len(numbers(then)) != len(numbers(now)):
        return [f"the provider was asked {len(numbers(then))} times, now {len(numbers(now))} times"]
    old, new = (sorted(_requests(side)) for side in (then, now))
    return [difference(a, b, f"request {n} to the provider") for n, (a, b) in enumerate(zip(old, new, strict=True), 1)]


def _requests(blocks: list[Block]) -> list[list[str]]:
    found = []
    for number in numbers(blocks):
        reader = Reader("client")
        reader.feed(joined(blocks, number, SENT), 0.0)
        found += [upstream_rows(message) for message in reader.messages]
    return found


def _left(case: Case, played: Played) -> list[str]:
    """A client that leaves takes its upstream with it, in the same instant."""
    then = [block for block in case.recording.upstream if block.word == CLOSED]
    now = [block for block in played.recording.upstream if block.word == CLOSED]
    if len(then) > len(now):
        return [f"piproxy closed {len(then)} upstream connections, now {len(now)}"]
    leaves = [block.at for block in played.recording.request if block.word == CLOSED]
    return [
        f"the client left at {min(leaves):.3f} s and the upstream was closed at {block.at:.3f} s"
        for block in now
        if leaves and then and min(abs(block.at - at) for at in leaves) > INSTANT
    ]


def _ended(case: Case, played: Played) -> list[str]:
    """The connections that piproxy closes of itself."""
    then, now, gone = (
        {block.number for block in blocks if block.word == CLOSED}
        for blocks in (case.recording.expected, played.recording.expected, case.recording.request)
    )
    found = [f"piproxy closed connection {number}, and leaves it open now" for number in sorted(then - now - gone)]
    return [*found, *(f"piproxy closes connection {number} now" for number in sorted(now - then - gone))]


def late(played: Played) -> list[str]:
    """Bytes come to the client only when the provider says something, or the client does."""
    recording = played.recording
    spoken = [block.at for block in recording.upstream if block.word in (GOT, CLOSED)]
    asked = [block.at for block in recording.request]
    moments = sorted({*spoken, *asked})
    return [
        f"bytes came at {block.at:.3f} s, when neither the client nor the provider had done anything"
        for block in recording.expected
        if block.word == GOT and min((abs(block.at - at) for at in moments), default=0.0) > INSTANT
    ]


def held(played: Played) -> list[str]:
    """What the provider says comes to a client who reads a stream in that instant, not with what it says next."""
    recording = played.recording
    talks = exchanges(recording.request, recording.expected)
    gone = {block.number: block.at for block in recording.request if block.word == CLOSED}
    found = []
    for block in recording.upstream:
        words = _words(block.data) if block.word == GOT else ""
        open_now = [talk for talk in talks if _open(talk, block.at) and block.at < gone.get(talk.connection, inf)]
        if words and open_now and all(_streams(talk) for talk in open_now):
            pieces = (piece for talk in open_now if talk.response for piece in talk.response.pieces)
            heard = b"".join(data for at, data in pieces if abs(at - block.at) <= INSTANT)
            if words not in _words(heard):
                found.append(f"the provider said {words!r} at {block.at:.3f} s, and it did not come in that instant")
    return found


def _open(talk: Exchange, at: float) -> bool:
    ended = talk.response.ended if talk.response else None
    return talk.request.began <= at and (ended is None or at <= ended)


def _streams(talk: Exchange) -> bool:
    return talk.response is not None and "event-stream" in (talk.response.get("content-type") or "")


def _words(data: bytes) -> str:
    """The text, thinking and arguments in a piece of a stream: a provider's, or piproxy's."""
    if b'"type": "response.' in data and b'.delta"' not in data:
        return ""  # all of it again, at its end
    return "".join(json.loads(text) for text in _SAID.findall(data))
