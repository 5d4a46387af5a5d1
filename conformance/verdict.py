"""What is wrong with a case that was played: readable differences, or nothing."""

from __future__ import annotations

from typing import Final

from conformance.blocks import CLOSED, GOT, SENT, Block, joined, numbers
from conformance.case import Case, exchanges
from conformance.compare import difference, rows, upstream_rows
from conformance.inside import Played
from conformance.messages import Reader

INSTANT: Final = 0.001
"""Virtual seconds; recordings are written in milliseconds."""


def verdict(case: Case, played: Played) -> list[str]:
    """Differences between the recording and what piproxy did now."""
    found = [*played.troubles, *_answers(case, played), *_asked(case, played), *_left(case, played)]
    return [text for text in (*found, *late(played)) if text]


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


def late(played: Played) -> list[str]:
    """A stream's bytes reach the client in the instant in which the provider said them."""
    recording = played.recording
    spoken = [block.at for block in recording.upstream if block.word in (GOT, CLOSED)]
    asked = [block.at for block in recording.request]
    moments = sorted({*spoken, *asked})
    return [
        f"bytes came at {block.at:.3f} s, when neither the client nor the provider had done anything"
        for block in recording.expected
        if block.word == GOT and min((abs(block.at - at) for at in moments), default=0.0) > INSTANT
    ]
