"""Plays the client's side of the cases against any server, in real time, and tells what that server gets wrong.

Only what a client sees counts, and in the terms of OpenAI's API: the status, the text, the thinking, the calls, how it
ends. Headers, wording of errors, usage, prices and piproxy's own extras do not.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import trio

from conformance.blocks import CLOSED, GOT, SENT, Block, joined, numbers
from conformance.case import Case, Exchange, exchanges
from conformance.compare import rows
from conformance.messages import PREFACE
from conformance.player import Player, Recorded, whole
from conformance.provider import Provider

PATIENCE: Final = 8.0
"""Seconds that the server has for each answer; a recorded one takes at most three."""
STILL_OPEN: Final = 50
"""Tenths of a second in which a server has to leave its provider when the client has left it."""
_COUNTS: Final = (
    "status",
    "type text/event-stream",
    "content: ",
    "reasoning_content: ",
    "call ",
    "arguments ",
    "finish: ",
)
_KEY: Final = re.compile(rb"(?i)(authorization: bearer )x+|(x-api-key: )x+")


def compare_server(cases: Sequence[Case], base_url: str, key: str, upstream: int) -> int:
    """Print the table; the exit code."""
    if key:
        asked = [case for case in cases if _shows_a_key(case)]
        print(f"{len(cases) - len(asked)} cases were recorded without a key and are left out\n")
        cases = asked
    wrong = trio.run(partial(_all, cases, base_url, key, upstream))
    print()
    total, failed = Counter(case.client for case in cases), Counter(case.client for case in cases if case.id in wrong)
    width = max(map(len, total), default=6)
    print(f"{'client':<{width}}  cases  failed")
    for client, count in total.items():
        print(f"{client:<{width}}  {count:>5}  {failed[client]:>6}")
    print(f"{'all':<{width}}  {len(cases):>5}  {len(wrong):>6}")
    if wrong:
        print("\nfirst thing that is wrong, in how many cases")
    for kind, count in Counter(_kind(texts[0]) for texts in wrong.values()).most_common():
        print(f"{count:>5}  {kind}")
    return 1 if wrong else 0


def _kind(text: str) -> str:
    """What is wrong, without what was said."""
    expected, _, got = text.partition(", got ")
    word = expected.split(" ")[0]
    if word == "arguments" and got.startswith("arguments"):
        same = _value(expected) == _value(got)
        return "tool arguments are spaced in another way" if same else "tool arguments are changed"
    if word in ("content:", "reasoning_content:", "call", "arguments", "finish:", "unexpected"):
        return f"{word.rstrip(':')} is {'lost' if got == 'nothing' else 'changed'}"
    return text


def _value(row: str) -> object:
    """The arguments of a row; the row itself, if they are cut."""
    try:
        return json.loads(json.loads(row.partition(": ")[2]))
    except ValueError:
        return row


async def _all(cases: Sequence[Case], base_url: str, key: str, upstream: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    listener = (await trio.open_tcp_listeners(upstream, host="127.0.0.1"))[0]
    async with listener:
        for case in cases:
            if wrong := await _one(case, base_url, key, listener):
                found[case.id] = wrong
                for text in wrong:
                    print(f"{case.id:<40} {_short(text)}", flush=True)
    return found


async def _one(case: Case, base_url: str, key: str, listener: trio.SocketListener) -> list[str]:
    place = urlsplit(base_url)
    zero = trio.current_time()

    def clock() -> float:
        return trio.current_time() - zero

    recorded = Recorded(case.recording.upstream, exactly=False)
    provider = Provider(recorded.serve, clock)

    async def connect() -> trio.abc.HalfCloseableStream:
        return await trio.open_tcp_stream(place.hostname or "127.0.0.1", place.port or 80)

    async def accept() -> None:
        async with trio.open_nursery() as serving:
            while True:
                serving.start_soon(provider.serve, await listener.accept())

    case.recording.request = [_addressed(block, key) for block in case.recording.request]
    player = Player(case, connect, clock, exactly=False, patience=PATIENCE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await player.play()
        for _ in range(STILL_OPEN):
            if _left(case, provider.log):
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    then = exchanges(case.recording.request, case.recording.expected)
    now = exchanges(player.sent, player.got)
    if case.about["scenario"] in ("retry", "overloaded") and now and now[0].response and now[0].response.status == 200:
        then, now, player.troubles = then[-1:], now[:1], []  # the server tried again by itself
    found = [text for old, new in zip(then, now, strict=False) for text in _differences(case, old, new)]
    if len(now) < len(then) or player.troubles:
        found.append("an answer did not come, so the client could not go on")
    if _left(case, provider.log):
        found.append("the client left, and the provider was still read from")
    return found


def _shows_a_key(case: Case) -> bool:
    """HTTP/2 is recorded without keys, and so is what is written by hand."""
    sent = case.recording.request
    asked = [joined(sent, number, SENT) for number in numbers(sent)]
    return all(_KEY.search(data) and not data.startswith(PREFACE) for data in asked if data)


def _addressed(block: Block, key: str) -> Block:
    """With this server's key where the recording has none any more."""
    if not key or block.word != SENT or block.data.startswith(PREFACE):
        return block
    data = _KEY.sub(lambda found: (found[1] or found[2]) + key.encode(), block.data)
    return Block(block.word, block.number, block.at, data)


def _differences(case: Case, old: Exchange, new: Exchange) -> list[str]:
    values = case.about["model"] == "wire-google"  # it gives arguments as a value, so their spacing is nobody's
    expected, found = _plain(old, values=values), _plain(new, values=values)
    if old.left and new.response is None:
        return []
    lost = [row for row in expected if row not in found]
    extra = [row for row in found if row not in expected]
    found_texts = []
    for row in lost:
        word = row.split(" ")[0]
        instead = next((other for other in extra if other.split(" ")[0] == word), "nothing")
        found_texts.append(f"{row}, got {instead}")
    if not lost:
        found_texts += [f"unexpected {row}" for row in extra]
    return found_texts


def _plain(exchange: Exchange, *, values: bool) -> list[str]:
    """What counts of the rows."""
    found = []
    for row in rows(exchange):
        if row == 'content: ""':
            continue  # as good as none
        if row.startswith(("error", "error.message")) and "error" not in found:
            found.append("error")  # its wording is the server's own
        elif row.startswith(_COUNTS) or row in ("done: ", "no answer", "the client left"):
            found.append(_canonical(row, values=values))
    return found


def _canonical(row: str, *, values: bool) -> str:
    """Ids of calls may be made up by the server."""
    if row.startswith("call "):
        return " ".join(row.split(" ")[:4])
    if values and row.startswith("arguments "):
        name, _, text = row.partition(": ")
        return f"{name}: {json.dumps(json.loads(json.loads(text)))}"
    return row


def _short(row: str) -> str:
    return row if len(row) < 160 else row[:157] + "…"


def _left(case: Case, log: list[Block]) -> bool:
    """A provider that had more to say when piproxy left it is not left now."""
    then = case.recording.upstream
    wanted = sum(block.word == CLOSED and not whole(joined(then, block.number, GOT)) for block in then)
    return wanted > sum(block.word == CLOSED for block in log)
