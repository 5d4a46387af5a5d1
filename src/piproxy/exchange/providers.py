"""The provider's side of an exchange: a credential, the request in the words of its API, and the answer's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

import trio

from piproxy.chat import Chat, place_of
from piproxy.credential import Credential
from piproxy.errors import ClientError, NeedsInlineImages, PiproxyError, ProviderError, UpstreamBroken, UpstreamError
from piproxy.events import Event, Finish
from piproxy.exchange.call import Call
from piproxy.exchange.deadlines import Deadline, drain, error_body
from piproxy.exchange.lateness import Lateness
from piproxy.exchange.record import Record
from piproxy.exchange.refusals import blamed, conceal_in, refuses
from piproxy.model import Model
from piproxy.redact import conceal
from piproxy.replay import ReplayMemory
from piproxy.transcript import session_hash
from piproxy.upstream import auth
from piproxy.upstream.http import Answer, read_all
from piproxy.wire.room import Options, Room, StreamParser, TellsUsage, WireRequest
from piproxy.wire.rooms import room_for

UPSTREAM_IDS: Final = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray")
"""Headers in which providers number their answers; the first that is there counts."""

Deliver = Callable[[Sequence[Event]], Awaitable[None] | None]
"""Takes events; what it returns, if anything, is the waiting for a client that is not ready for them."""


class Upstream(Protocol):
    """The way to the providers."""

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        connection: Callable[[bool], None] | None,
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer, when its head is there. One with a method ``cut`` can be ended by other tasks, too."""
        ...


class Providers:
    """Everything that asking providers needs and that outlives a request."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        credential: Callable[[Model, str | None], Awaitable[Credential]],
        memory: ReplayMemory | None = None,
        cache: Literal["none", "short", "long"] = "short",
        images: Callable[[Chat], Awaitable[Chat]] | None = None,
        other: Callable[[Model, Credential, ProviderError], Awaitable[Credential | None]] | None = None,
        blame: Callable[[Model, ProviderError], Awaitable[None]] | None = None,
    ) -> None:
        """``images`` puts images in place of their addresses, for rooms that cannot send addresses.

        ``other`` is asked for another credential in place of one that the provider refused; ``None``: there is none.
        ``blame`` adds to the refusal that the client will see where its credential came from.
        """
        self.cache = cache
        self._upstream = upstream
        self._credential = credential
        self._images = images
        self._other = other
        self._blame = blame
        self._lateness = Lateness()
        self._memory = memory if memory is not None else ReplayMemory()

    async def ask(self, call: Call, deliver: Deliver, deadline: Deadline) -> None:
        """Ask the provider and deliver its events as they come; again, if a refused credential has a successor.

        Raises :class:`PiproxyError` unless the answer came to its :class:`Finish`.
        """
        credential = await self._credential(call.model, call.override_key)
        other: Credential | None = None
        try:
            await self._ask_as(credential, call, deliver, deadline)
        except ProviderError as error:
            if self._other is not None and refuses(error, credential):
                deadline.client()
                other = await self._other(call.model, credential, error)
            if other is None:
                await self._blamed(call.model, credential, error, deadline)
                raise
        if other is not None:
            try:
                await self._ask_as(other, call, deliver, deadline)
            except ProviderError as error:
                await self._blamed(call.model, other, error, deadline)
                raise

    async def _blamed(self, model: Model, credential: Credential, error: ProviderError, deadline: Deadline) -> None:
        if self._blame is not None and refuses(error, credential):
            deadline.client()
            await self._blame(model, error)

    async def _ask_as(self, credential: Credential, call: Call, deliver: Deliver, deadline: Deadline) -> None:
        try:
            await self._converse(credential, call, deliver, deadline)
        except PiproxyError as error:
            conceal_in(error, credential.secrets)
            raise

    async def _converse(self, credential: Credential, call: Call, deliver: Deliver, deadline: Deadline) -> None:
        began = trio.current_time()
        model, record = call.model, call.record
        room = room_for(model.api)
        request = await self._request(room, credential, call, deadline)
        record.dropped = request.dropped
        headers = auth.sign(request, credential, now=datetime.now(UTC))
        deadline.first_byte()
        upstream = self._upstream.stream(
            request.method, request.url, headers=headers, body=request.body, connection=deadline.connection
        )
        record.cut = getattr(upstream, "cut", None)
        async with upstream as answer:
            if (upstream_id := _upstream_id(answer.headers)) is not None:
                record.upstream_id = conceal(upstream_id, credential.secrets)
            if not 200 <= answer.status < 300:
                deadline.client()
                body: list[bytes] = []
                with error_body(), suppress(UpstreamBroken):
                    await read_all(answer, into=body)
                raise blamed(room.parse_failure(answer.status, answer.headers, b"".join(body)), credential)
            parser = room.stream_parser(request, _content_type(answer.headers))
            try:
                await _hear(answer, parser, deliver, deadline, record, began)
            except BaseException:
                # Nobody waits for the rest; what was said until now is paid for all the same.
                used = parser.usage_so_far if isinstance(parser, TellsUsage) else None
                record.account(used, model.cost, partial=True)
                raise
            self._memory.keep(model.api, parser.replay)
            deadline.finished()
            if not self._lateness.expected(model.base_url):
                with drain() as waiting, suppress(UpstreamBroken):
                    while await answer.read():
                        pass
                self._lateness.note(model.base_url, late=waiting.cancelled_caught)

    async def _request(self, room: Room, credential: Credential, call: Call, deadline: Deadline) -> WireRequest:
        """The chat in the room's words, with images in place of their addresses where it cannot do without."""
        model, options = self._options(call, credential)
        try:
            return _built(room, call.chat, model, options)
        except NeedsInlineImages:
            if self._images is None:
                raise
            deadline.images()
            chat = await self._images(call.chat)
            deadline.client()
            return _built(room, chat, model, options)

    def _options(self, call: Call, credential: Credential) -> tuple[Model, Options]:
        """The model at the address that the login dictates, and what its room needs to know."""
        model, chat = call.model, call.chat
        if credential.base_url is not None:
            model = replace(model, base_url=credential.base_url)
        return model, Options(
            session_id=chat.prompt_cache_key or session_hash(model.canonical_id, chat.messages),
            cache=self.cache,
            identity=auth.identity(model, credential),
            env=credential.env,
            replay=self._memory.view(model.api),
            key_kind="adc" if credential.bearer else "key" if credential.api_key else "none",
            wire_id=call.record.request_id,
        )


async def _hear(
    answer: Answer, parser: StreamParser, deliver: Deliver, deadline: Deadline, record: Record, began: float
) -> None:
    """Deliver an answer's events up to its :class:`Finish`; what is wrong behind that is nobody's business."""
    while True:
        data = await answer.read()
        failure: UpstreamError | None = None
        try:
            events = parser.feed(data) if data else parser.end()
        except UpstreamError as error:
            events, failure = error.events, error
        if events:
            if record.first_event is None:
                record.first_event = trio.current_time() - began
            if (waiting := deliver(events)) is not None:
                deadline.client()
                await waiting
            if isinstance(events[-1], Finish):
                return
        if failure is not None:
            raise failure
        if not data:
            raise UpstreamBroken("The provider's answer stopped short.")
        deadline.idle()


def _built(room: Room, chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request, or a refusal that names its place in the client's messages."""
    try:
        return room.build_request(chat, model, options)
    except ClientError as error:
        if error.part is not None:
            error.param = place_of(chat.messages, error.part) or error.param
        raise


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _upstream_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in UPSTREAM_IDS if name in headers), None)
