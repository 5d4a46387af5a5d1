"""What a running proxy has served: a few sums for ``GET /status``, no names and no content."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from piproxy.exchange import Ending, Record
from piproxy.jsontext import Json


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
        }
