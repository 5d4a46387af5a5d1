"""What a running proxy has served: a few sums for ``GET /status``, no names and no content."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass, field
from typing import Final

from piproxy.exchange import Ending, Record
from piproxy.jsontext import Json

_RECORD: Final = struct.Struct("<5Q2d")
"""One worker's sums in the file that all of them share; the last number is 0 before the first request."""


@dataclass(slots=True)
class Tally:
    """Sums since the start; a request counts when it is over and a model was asked for."""

    started: float = field(default_factory=time.time)
    """Seconds since 1970."""
    requests: int = 0
    failed: int = 0
    left: int = 0
    """Requests whose client went away."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """US dollars."""
    last: float | None = None
    """When the last request ended."""

    def add(self, record: Record) -> None:
        """A request is over."""
        if record.model is None:
            return
        self.requests += 1
        self.last = time.time()
        self.left += record.ending is Ending.CLIENT_LEFT
        self.failed += record.ending not in {Ending.DONE, Ending.CLIENT_LEFT}
        self.cost += record.cost or 0.0
        if record.usage is not None:
            self.prompt_tokens += record.usage.input + record.usage.cache_read + record.usage.cache_write
            self.completion_tokens += record.usage.output

    def take(self, file: int, number: int) -> None:
        """Add the sums of a record; one that was never written has none."""
        data = os.pread(file, _RECORD.size, number * _RECORD.size)
        if len(data) == _RECORD.size:
            requests, failed, left, prompt_tokens, completion_tokens, cost, last = _RECORD.unpack(data)
            self.requests += requests
            self.failed += failed
            self.left += left
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            self.cost += cost
            self.last = max(self.last or 0.0, last) or None

    def as_json(self) -> dict[str, Json]:
        return {
            "started": round(self.started, 3),
            "requests": self.requests,
            "failed": self.failed,
            "client_left": self.left,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
            "last_request": None if self.last is None else round(self.last, 3),
            "workers": 1,
        }


class SharedTally(Tally):
    """One worker's sums, and those of the others: each has its own record in one file, and adds all of them up.

    A worker that is started in another one's place goes on with its sums. The file is the supervisor's, without a name.
    """

    __slots__ = ("_count", "_file", "_number")

    def __init__(self, file: int, number: int, count: int, started: float) -> None:
        """``number`` is this worker's of ``count``; ``started`` is for all of them."""
        super().__init__(started)
        self._file = file
        self._number = number
        self._count = count
        self.take(file, number)

    def add(self, record: Record) -> None:
        super().add(record)
        sums = self.requests, self.failed, self.left, self.prompt_tokens, self.completion_tokens
        os.pwrite(self._file, _RECORD.pack(*sums, self.cost, self.last or 0.0), self._number * _RECORD.size)

    def as_json(self) -> dict[str, Json]:
        total = Tally(self.started)
        for number in range(self._count):
            total.take(self._file, number)
        return {**total.as_json(), "workers": self._count}
