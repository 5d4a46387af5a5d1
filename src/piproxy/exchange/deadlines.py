"""How long an exchange waits: for the provider, piece by piece, and for three small things at the end.

No other file of this folder limits a wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import Final, Self

import trio

from piproxy.errors import PiproxyError, UpstreamTimeout

DRAIN: Final = 0.1
"""Seconds that a finished answer may take to end its HTTP body, so that the connection can be used again."""
ERROR_BODY: Final = 2.0
"""Seconds for the words of a refusal; its status is known, and counts without them."""
LAST_FRAME: Final = 5.0
"""Seconds that a client gets to take the error frame of a stream that failed."""
GRAIN: Final = 1.0
"""Seconds that a silence may last too long when pieces came closer together than this; an eighth of the limit at most.

Moving a trio deadline costs as much as sending a token, and each move leaves an entry behind for a while.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds; ``inf`` is no limit."""

    connect: float = 10.0
    first_byte: float = 120.0
    """From the connection to the first byte of the answer's body, the upload included."""
    idle: float = 120.0
    """Silence between two pieces of the answer."""
    images: float = 30.0
    """For all images that have to be fetched first."""
    total: float = inf
    hold: float = 10.0
    """How long a stream's status line waits for the provider's first event, so that a refusal keeps its status."""
    keep_alive: float = 15.0
    """A comment goes to a streaming client after this much silence; 0 is never."""


class Deadline:
    """One cancel scope around the provider's side of an exchange.

    Its deadline is moved before each wait (connect, first byte, silence between bytes), and put off while we wait for
    the client, whose stalls are the server's business. Leaving the block raises :class:`UpstreamTimeout` when it fired,
    or the error that :meth:`fail` was given.
    """

    def __init__(self, limits: Limits, running: set[Deadline]) -> None:
        """It stands in ``running`` while the exchange runs."""
        self._limits = limits
        self._running = running
        self._end = trio.current_time() + limits.total
        self._scope = trio.CancelScope(deadline=self._end)
        self._why = "", 0.0
        self._error: PiproxyError | None = None
        self._finished = False
        self._now = trio.lowlevel.current_clock().current_time  # without trio's wrappers: it is asked for each piece
        self._grain = min(GRAIN, limits.idle / 8)
        self._moved = self._enough = -inf

    def __enter__(self) -> Self:
        self._running.add(self)
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._running.discard(self)
        swallowed = bool(self._scope.__exit__(kind, exc, trace))
        if self._scope.cancelled_caught:
            why, seconds = self._why
            raise self._error or UpstreamTimeout(why.format(f"{seconds:g}"))
        return swallowed

    def fail(self, error: PiproxyError) -> None:
        """End this exchange from outside."""
        if not self._finished:
            self._error = error
            self._scope.cancel()

    def finished(self) -> None:
        """The answer is complete: whatever comes now harms nothing."""
        self._finished = True
        self._scope.deadline = inf

    def connection(self, stands: bool) -> None:
        """The upstream opens a connection, or has one."""
        if stands:
            self.first_byte()
        else:
            self._expect(self._limits.connect, "No connection to the provider within {} s.")

    def images(self) -> None:
        self._expect(self._limits.images, "The images did not arrive within {} s.")

    def first_byte(self) -> None:
        self._expect(self._limits.first_byte, "The provider did not begin to answer within {} s.")

    def idle(self) -> None:
        """A piece has come. Where they come densely, the deadline is moved a bit too far, and not for each of them."""
        now = self._now()
        if now < self._enough:
            return
        spare = self._grain if now < self._moved + self._grain else 0.0
        self._expect(self._limits.idle, "The provider was silent for {} s in the middle of its answer.", spare)
        self._moved, self._enough = now, now + spare

    def client(self) -> None:
        """We wait for the client, or for ourselves: only the total counts."""
        self._expect(inf, "")

    def _expect(self, seconds: float, why: str, spare: float = 0.0) -> None:
        self._enough = -inf
        deadline = self._now() + seconds + spare
        if deadline >= self._end:
            deadline, seconds, why = self._end, self._limits.total, "The answer took longer than {} s."
        self._why = why, seconds
        self._scope.deadline = deadline


def error_body() -> trio.CancelScope:
    """Around reading what a refusal says."""
    return trio.move_on_after(ERROR_BODY)


def drain() -> trio.CancelScope:
    """Around reading what stands behind an answer's end."""
    return trio.move_on_after(DRAIN)


def last_frame() -> trio.CancelScope:
    """Around sending the frame that says why a stream ended."""
    return trio.move_on_after(LAST_FRAME)
