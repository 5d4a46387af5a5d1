"""Plays the demo provider in this process, with the interface of :class:`piproxy.upstream.http.Http`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import trio

from piproxy.errors import UpstreamBroken, UpstreamUnreachable
from piproxy.upstream.demo.script import script
from piproxy.upstream.demo.steps import Break, Data, Hang, Head, Pause, Step
from piproxy.upstream.http import Answer, Http

_SCHEME: Final = "demo:"


class DemoAnswer:
    """An answer whose steps are played as it is read."""

    def __init__(self, head: Head, steps: Iterator[Step]) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self._steps = steps

    async def read(self) -> bytes:
        """See :meth:`piproxy.upstream.http.Answer.read`."""
        for step in self._steps:
            match step:
                case Data(body):
                    await trio.lowlevel.checkpoint()
                    return body
                case Break():
                    raise UpstreamBroken("The demo provider's answer broke off: the connection was closed.")
                case _:
                    await _wait(step)
        return b""


class WithDemo:
    """The way to the providers, the demo provider among them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        connection: Callable[[bool], None] | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """As :meth:`piproxy.upstream.http.Http.stream`; a ``demo:`` address is played here."""
        if url.startswith(_SCHEME):
            return _play(body)
        return self._http.stream(method, url, headers=headers, body=body, connection=connection)


@asynccontextmanager
async def _play(body: bytes) -> AsyncIterator[Answer]:
    steps = script(body)
    for step in steps:
        if isinstance(step, Head):
            yield DemoAnswer(step, steps)
            return
        if isinstance(step, Break):
            break
        await _wait(step)
    raise UpstreamUnreachable("The demo provider closed the connection without an answer.")


async def _wait(step: Step) -> None:
    match step:
        case Pause(seconds):
            await trio.sleep(seconds)
        case Hang():
            await trio.sleep_forever()
