"""A network for the modules that get tokens: answers by a script, remembers what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import trio

from piproxy.upstream.http import Fetched


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Step: TypeAlias = "Fetched | Exception | float | Callable[[Asked], Fetched]"
"""An answer, an error, a wait before the next step, or a function of the request."""


def ok(value: object) -> Fetched:
    """A good JSON answer."""
    return answer(200, value)


def answer(status: int, value: object) -> Fetched:
    """A JSON answer."""
    return Fetched(status, {"content-type": "application/json"}, json.dumps(value).encode())


@dataclass
class ScriptedFetcher:
    """Plays ``steps`` in order, whoever asks; an error of the test when there are none left."""

    steps: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    started: trio.Event = field(default_factory=trio.Event)

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self.steps = list(steps)
        self.asked = []
        self.started = trio.Event()

    async def fetch(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Fetched:
        request = Asked(method, url, dict(headers), body)
        self.asked.append(request)
        self.started.set()
        await trio.lowlevel.checkpoint()
        while True:
            if not self.steps:
                raise AssertionError(f"nobody expected {method} {url}")
            step = self.steps.pop(0)
            if isinstance(step, float | int):
                await trio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            elif isinstance(step, Fetched):
                return step
            else:
                return step(request)
