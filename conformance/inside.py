"""Plays a case into a piproxy in this process: memory streams, virtual time, the provider's bytes as recorded."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from math import inf
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import trio
from trio.testing import MockClock, memory_stream_pair

from conformance.case import Case, Recording
from conformance.player import Player, Recorded
from conformance.provider import Provider
from conformance.vendors import agent_files
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.registry import Registry
from piproxy.server.app import create_app
from piproxy.server.engine import Engine
from piproxy.server.live import LiveSettings
from piproxy.server.log import Log
from piproxy.server.serving import Server, protocol_config
from piproxy.upstream.connections import Origin
from piproxy.upstream.http import Http
from piproxy.upstream.keyring import Keyring
from piproxy.wire.rooms import ROOMS

LONGEST: Final = 3600.0
"""Virtual seconds for one case."""


class _Socket:
    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 4141)

    def getpeername(self) -> tuple[str, int]:
        return ("127.0.0.1", 50000)


class _Client:
    """A memory stream that passes for a client's socket."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.socket = _Socket()

    def __getattr__(self, name: str) -> Any:
        if name in ("do_handshake", "transport_stream", "send_now"):
            raise AttributeError(name)
        return getattr(self._stream, name)

    def close(self) -> None:
        self._stream.send_stream.close()
        self._stream.receive_stream.close()

    abort = close


class _Door(trio.abc.Listener[Any]):
    """Clients come in through memory."""

    def __init__(self) -> None:
        self._into, self._out_of = trio.open_memory_channel[Any](inf)

    async def connect(self) -> trio.abc.HalfCloseableStream:
        ours, theirs = memory_stream_pair()
        self._into.send_nowait(_Client(theirs))
        return ours

    async def accept(self) -> Any:
        return await self._out_of.receive()

    async def aclose(self) -> None:
        self._out_of.close()


@cache
def _registry() -> Registry:
    folder = Path(mkdtemp(prefix="piproxy-conformance-"))
    for name, content in agent_files("http://provider.test").items():
        (folder / name).write_text(json.dumps(content))
    return Registry(AgentDirectory(folder), {}, apis=ROOMS, catalog_choice="snapshot")


@asynccontextmanager
async def _served(provider: Provider) -> AsyncIterator[Any]:
    registry = _registry()

    async with trio.open_nursery() as nursery:

        async def connect(_: Origin) -> trio.abc.Stream:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(provider.serve, theirs)
            return ours

        async with Http(connect=connect) as http:
            live = LiveSettings({"PI_PROXY_KEEP_ALIVE_SEC": "0"}, None, {})
            keyring = Keyring(http=http, directory=registry.directory, environ={}, nursery=nursery)
            log = Log(write=lambda _: None)
            engine = Engine(live=live, registry=registry, keyring=keyring, upstream=http, log=log)
            yield create_app(engine)
        nursery.cancel_scope.cancel()


@dataclass(slots=True)
class Played:
    """What came of it."""

    recording: Recording
    troubles: list[str] = field(default_factory=list)
    """What could not be played."""


async def _play(case: Case) -> Played:
    zero = trio.current_time()

    def clock() -> float:
        return trio.current_time() - zero

    recorded = Recorded(case.recording.upstream)
    provider = Provider(recorded.serve, clock)
    door: Any = _Door()
    bugs: list[BaseException] = []
    async with _served(provider) as app, trio.open_nursery() as nursery:
        config = protocol_config(idle_connection=75)
        server = Server(app, [door], config=config, drain=lambda: 0.0, cut=lambda: None, failed=bugs.append)
        await nursery.start(server.run)
        player = Player(case, door.connect, clock)
        with trio.move_on_after(LONGEST) as scope:
            await player.play()
        troubles = [*player.troubles, *(f"piproxy failed: {bug!r}" for bug in bugs)]
        if scope.cancelled_caught:
            troubles.append(f"not done after {LONGEST} virtual seconds")
        nursery.cancel_scope.cancel()
    return Played(Recording(player.sent, provider.log, player.got), troubles)


def play(case: Case) -> Played:
    """Play it; takes no time."""
    return trio.run(_play, case, clock=MockClock(autojump_threshold=0))
