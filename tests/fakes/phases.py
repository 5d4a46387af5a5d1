"""A provider that falls silent in each phase of a streamed chat completion, for clients that leave in it."""

from __future__ import annotations

from typing import Final

import trio
from fakes.provider import Conversation, Script, chunk


async def before_headers(talk: Conversation) -> None:
    await trio.sleep_forever()


async def before_first_byte(talk: Conversation) -> None:
    await talk.head()
    await trio.sleep_forever()


async def between_events(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a"))
    await trio.sleep_forever()


async def mid_event(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="a") + chunk(content="b")[:20])
    await trio.sleep_forever()


PHASES: Final[tuple[Script, ...]] = (before_headers, before_first_byte, between_events, mid_event)
