"""What one request came to, for the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from piproxy.errors import PiproxyError, ShuttingDown, UpstreamTimeout
from piproxy.events import Usage
from piproxy.logged import logged
from piproxy.model import Cost
from piproxy.pi.cost import cost_of


class Ending(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    CLIENT_LEFT = "client left"
    DEADLINE = "deadline"
    UPSTREAM = "upstream failed"
    SHUTDOWN = "shutdown"
    BUG = "internal error"


@dataclass(slots=True, kw_only=True)
class Record:
    """What one request came to; the server writes it to the log once, at the end."""

    request_id: str
    client_request_id: str | None = None
    method: str = ""
    path: str = ""
    status: int | None = None
    model: str | None = None
    provider: str | None = None
    api: str | None = None
    stream: bool = False
    upstream_id: str | None = None
    queued: float = 0.0
    """Seconds that the exchange waited for a place."""
    first_event: float | None = None
    """Seconds from having a credential to the provider's first event."""
    usage: Usage | None = None
    partial: bool = False
    """The answer did not come to its end: :attr:`usage` and :attr:`cost` are what is known of it."""
    cost: float | None = None
    """US dollars."""
    ending: Ending = Ending.DONE
    error: str | None = None
    """As :func:`piproxy.logged.logged` puts it: no words of others."""
    bug: Exception | None = None
    dropped: tuple[str, ...] = ()
    cut: Callable[[], None] | None = None
    """Lets the provider know at once that the client has gone, before the tasks between them have their turns."""

    def account(self, usage: Usage | None, rates: Cost, *, partial: bool = False) -> None:
        """What the answer used, as far as anybody said, and what that costs."""
        if usage is not None:
            self.partial = partial
            self.usage = usage
            self.cost = cost_of(usage, rates).total

    def fail(self, error: PiproxyError) -> None:
        """The exchange ended with ``error``."""
        self.error = logged(error)
        if self.bug is not None:
            self.ending = Ending.BUG
        elif isinstance(error, ShuttingDown):
            self.ending = Ending.SHUTDOWN
        elif isinstance(error, UpstreamTimeout):
            self.ending = Ending.DEADLINE
        elif error.status < 500:
            self.ending = Ending.REFUSED
        else:
            self.ending = Ending.UPSTREAM
