"""A provider on loopback that plays answers and writes down both sides of every exchange."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import h11
import trio

from conformance.blocks import CLOSED, GOT, SENT, Block
from conformance.jsonbody import parsed
from conformance.messages import Message, Reader
from conformance.scenarios import Answers, Asked
from conformance.steps import Answer
from conformance.vendors import BODIES, api_of, failure

Write = Callable[[bytes], Awaitable[None]]
Serve = Callable[[int, Message, Write], Awaitable[bool]]
"""Answers one request: its number, the request, a way to write; gives whether the connection may go on."""
READ_SIZE: Final = 65536


class Provider:
    """Use :meth:`serve` with any stream; ``log`` gets every block."""

    def __init__(self, answer: Serve, clock: Callable[[], float]) -> None:
        self.log: list[Block] = []
        self.answer = answer
        self.asked = 0
        self._clock = clock

    async def serve(self, stream: trio.abc.HalfCloseableStream) -> None:
        """One connection of piproxy's, until either side ends it."""
        reader = Reader("client")
        early = bytearray()
        async with stream:
            done = 0
            while True:
                raw = bytes(early)
                if early:
                    reader.feed(raw, self._clock())
                    early.clear()
                while len(reader.messages) == done or not reader.messages[done].complete:
                    with suppress(trio.BrokenResourceError):
                        if data := bytes(await stream.receive_some(READ_SIZE)):
                            raw += data
                            reader.feed(data, self._clock())
                            continue
                    return
                message = reader.messages[done]
                done += 1
                self.asked += 1
                number = self.asked
                self.log.append(Block(SENT, number, self._clock(), raw))
                if not await self._answer(number, message, stream, early):
                    return

    async def _answer(
        self, number: int, message: Message, stream: trio.abc.HalfCloseableStream, early: bytearray
    ) -> bool:
        """``early`` gets what piproxy sends the moment it has the last byte: its next request."""

        async def write(data: bytes) -> None:
            self.log.append(Block(GOT, number, self._clock(), data))
            await stream.send_all(data)

        async def watch(scope: trio.CancelScope) -> None:
            with suppress(trio.BrokenResourceError):
                if data := await stream.receive_some(READ_SIZE):
                    early.extend(data)
                    return
            scope.cancel()

        go_on = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            with suppress(trio.BrokenResourceError):
                go_on = await self.answer(number, message, write)
                nursery.cancel_scope.cancel()
        if nursery.cancel_scope.cancelled_caught and not go_on:
            self.log.append(Block(CLOSED, number, self._clock()))
        return go_on


def scripted(answers: Answers) -> Serve:
    """Plays a scenario."""

    async def serve(number: int, message: Message, write: Write) -> bool:
        api = api_of((message.get(":path") or "").partition("?")[0])
        answer = answers(Asked(api, parsed(message.body), number - 1))
        await play(api, answer, write)
        return True

    return serve


async def play(api: str, answer: Answer, write: Write) -> None:
    """One answer, piece by piece."""
    error = answer.status >= 400
    http = h11.Connection(h11.SERVER)
    http.receive_data(b"POST / HTTP/1.1\r\nhost: x\r\n\r\n")
    while not isinstance(http.next_event(), h11.EndOfMessage):
        pass
    kind = "application/json" if error else "text/event-stream"
    headers = [("content-type", kind), ("x-request-id", "up-1"), *answer.headers, ("transfer-encoding", "chunked")]
    await trio.sleep(answer.pause)
    await write(http.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    for piece in [failure(api, answer)] if error else BODIES[api](answer):
        await trio.sleep(answer.pause)
        await write(http.send(h11.Data(data=piece)) or b"")
    await write(http.send(h11.EndOfMessage()) or b"")
