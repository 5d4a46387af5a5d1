"""Waiting for what happens in another process or in the operating system."""

from __future__ import annotations

from collections.abc import Callable

import trio


async def until(true: Callable[[], object]) -> None:
    """Look again and again; the caller sets the deadline."""
    while not true():  # noqa: ASYNC110  (nobody there could set an event)
        await trio.sleep(0.01)
