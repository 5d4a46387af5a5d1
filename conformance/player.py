"""The client's side of a case, and the provider's, played as they were recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import trio

from conformance.blocks import CLOSED, GOT, SENT, Block, joined, numbers
from conformance.case import Case
from conformance.messages import Message, Reader, Reader2, readers
from conformance.provider import Write

READ_SIZE: Final = 65536
_LAST: Final = (b"data: [DONE]", b'"message_stop"', b'"response.completed"', b'"finishReason"')
Connect = Callable[[], Awaitable[trio.abc.HalfCloseableStream]]


@dataclass(slots=True)
class _Answered:
    """How much a client has of its answers on one connection."""

    heads: int = 0
    whole: int = 0
    frames: int = 0
    """Of answers that are not complete."""

    def reaches(self, other: _Answered, *, exactly: bool) -> bool:
        frames = other.frames if exactly else min(other.frames, 1)
        return self.heads >= other.heads and (
            self.whole > other.whole or (self.whole == other.whole and self.frames >= frames)
        )


def _answered(reader: Reader | Reader2) -> _Answered:
    messages = reader.messages
    frames = sum(message.body.count(b"data:") for message in messages if not message.complete)
    return _Answered(len(messages), sum(message.complete for message in messages), frames)


class Player:
    """A client: does what was recorded, each thing when the answers that it waited for have come."""

    def __init__(
        self, case: Case, connect: Connect, clock: Callable[[], float], *, exactly: bool = True, patience: float = 3600
    ) -> None:
        """``exactly``: an aborting client leaves after as many frames as were recorded, and pauses as long.

        ``patience``: seconds to wait for an answer.
        """
        self.sent: list[Block] = []
        self.got: list[Block] = []
        self.troubles: list[str] = []
        self._case = case
        self._connect = connect
        self._clock = clock
        self._exactly = exactly
        self._patience = patience
        self._readers: dict[int, Reader | Reader2] = {}
        self._news = trio.Event()

    async def play(self) -> None:
        """The whole case."""
        recorded = self._case.recording
        waits = _waits(recorded.request, recorded.expected)
        streams: dict[int, trio.abc.HalfCloseableStream] = {}
        last = 0.0
        async with trio.open_nursery() as reading:
            for block, wanted, since in waits:
                with trio.move_on_after(self._patience) as scope:
                    await self._until(wanted)
                if scope.cancelled_caught:
                    self.troubles.append(f"no answer before the client's step at {block.at:.3f} s")
                    break
                pause = block.at - max(since, last)
                last = block.at
                await trio.sleep(max(0.0, pause if self._exactly else min(pause, 0.2)))
                if block.number not in streams and block.word == SENT:
                    streams[block.number] = await self._connect()
                    first = joined(recorded.request, block.number, SENT)
                    self._readers[block.number] = readers(first)[1]
                    reading.start_soon(self._read, block.number, streams[block.number])
                await self._do(block, streams)
            if not self.troubles:
                with trio.move_on_after(self._patience):
                    await self._until(_complete(recorded.expected, recorded.request))
            await trio.sleep(0.5)
            for stream in streams.values():
                await trio.aclose_forcefully(stream)
            reading.cancel_scope.cancel()

    async def _do(self, block: Block, streams: dict[int, trio.abc.HalfCloseableStream]) -> None:
        stream = streams.get(block.number)
        if stream is None:
            return
        self.sent.append(Block(block.word, block.number, self._clock(), block.data))
        if block.word == CLOSED:
            await trio.aclose_forcefully(stream)
            return
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(block.data)

    async def _read(self, number: int, stream: trio.abc.HalfCloseableStream) -> None:
        reader = self._readers[number]
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := bytes(await stream.receive_some(READ_SIZE)):
                self.got.append(Block(GOT, number, self._clock(), data))
                reader.feed(data, self._clock())
                self._tell()
            self.got.append(Block(CLOSED, number, self._clock()))
            reader.close(self._clock())
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _until(self, wanted: dict[int, _Answered]) -> None:
        for number, needed in wanted.items():
            while True:
                reader = self._readers.get(number)
                if reader is not None and _answered(reader).reaches(needed, exactly=self._exactly):
                    break
                await self._news.wait()


def _waits(sent: list[Block], got: list[Block]) -> list[tuple[Block, dict[int, _Answered], float]]:
    """Each step of the client, what it had got by then, and since when."""
    known: dict[int, Reader | Reader2] = {n: readers(joined(sent, n, SENT))[1] for n in numbers(sent)}
    state: dict[int, _Answered] = {}
    since = 0.0
    result: list[tuple[Block, dict[int, _Answered], float]] = []
    for block in sorted([*sent, *got], key=lambda block: (block.at, block.word == CLOSED)):
        if block.word == GOT:
            known[block.number].feed(block.data, block.at)
            state[block.number] = _answered(known[block.number])
            since = block.at
        elif block in sent:
            result.append((block, dict(state), since))
    return result


def _complete(got: list[Block], sent: list[Block]) -> dict[int, _Answered]:
    """All answers that were recorded, where the client did not leave."""
    left = {block.number for block in sent if block.word == CLOSED}
    found: dict[int, _Answered] = {}
    for number in numbers(got):
        if number in left:
            continue
        reader = readers(joined(sent, number, SENT))[1]
        reader.feed(joined(got, number, GOT), 0.0)
        found[number] = _answered(reader)
    return found


class Recorded:
    """Answers every request with what was recorded for the same one, or else for the next one."""

    def __init__(self, blocks: list[Block], *, exactly: bool = True) -> None:
        """``exactly``: an answer ends as it did, and not in HTTP where piproxy left at the last word."""
        self._blocks = blocks
        self._exactly = exactly
        self._left = numbers(blocks)
        self._bodies = {number: _body(blocks, number) for number in self._left}

    async def serve(self, _: int, message: Message, write: Write) -> bool:
        chosen = self._choose(message)
        if chosen is None:
            await write(b"HTTP/1.1 500 No more\r\ncontent-length: 0\r\n\r\n")
            return True
        steps = [block for block in self._blocks if block.number == chosen]
        asked = max((block.at for block in steps if block.word == SENT), default=0.0)
        began = trio.current_time()
        for block in steps:
            if block.word == GOT:
                await trio.sleep_until(began + block.at - asked)
                await write(block.data)
            elif block.word == CLOSED:
                if not self._exactly and whole(joined(steps, chosen, GOT)):
                    await write(b"0\r\n\r\n")
                    break
                await trio.sleep_forever()  # piproxy closed here, and has to again
        return True

    def _choose(self, message: Message) -> int | None:
        same = [number for number in self._left if self._bodies[number] == message.body]
        for number in (*same, *self._left):
            self._left.remove(number)
            return number
        return None


def whole(answer: bytes) -> bool:
    """A provider has said all, in whatever API, although HTTP may not have said so."""
    return any(word in answer for word in _LAST)


def _body(blocks: list[Block], number: int) -> bytes:
    reader = Reader("client")
    reader.feed(joined(blocks, number, SENT), 0.0)
    return reader.messages[0].body if reader.messages else b""
