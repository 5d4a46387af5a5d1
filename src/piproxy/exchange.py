"""One request, one upstream stream: deadlines and cancel scopes live here.

The plan. An exchange runs as a task in the request's own nursery. When the client leaves, that nursery is cancelled,
the ``async with`` around the upstream stream unwinds, and the connection to the provider is closed in that instant. One
cancel scope covers everything that waits for the provider; its deadline is moved before each wait (connect, first byte,
silence between bytes) and put off while we wait for the client, whose stalls are the server's business. Until the
provider's first event the HTTP status is still open, so a refusal keeps its status; after it, an error is one frame.

Nothing is retried (design, decision 7), but for one case: a provider refuses a credential, and by now there is another.
pi has renewed the login meanwhile, or a token that was kept in memory was revoked; the provider has done nothing yet,
and no client could know that trying again helps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from types import TracebackType
from typing import Final, Literal, Protocol, Self

import trio

from piproxy.chat import Chat, place_of
from piproxy.credential import Credential
from piproxy.errors import (
    ClientError,
    GatewayError,
    NeedsInlineImages,
    PiproxyError,
    ProviderError,
    ShuttingDown,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
)
from piproxy.events import Event, Finish, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta, Usage
from piproxy.logged import logged
from piproxy.model import Model
from piproxy.pi.cost import cost_of
from piproxy.redact import conceal
from piproxy.replay import ReplayMemory
from piproxy.transcript import session_hash
from piproxy.upstream import auth
from piproxy.upstream.http import Answer, read_all
from piproxy.upstream.places import Places
from piproxy.wire.room import Options, Room, StreamParser, TellsUsage, WireRequest
from piproxy.wire.rooms import room_for

DRAIN: Final = 0.1
"""Seconds that a finished answer may take to end its HTTP body, so that the connection can be used again."""
ERROR_BODY: Final = 2.0
"""Seconds for the words of a refusal; its status is known, and counts without them."""
MAX_WHOLE: Final = 64 * 1024 * 1024
"""Characters that an answer in one piece may have: a provider that never ends must not fill the memory."""
UPSTREAM_IDS: Final = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray")
LAST_FRAME: Final = 5.0
"""Seconds that a client gets to take the error frame of a stream that failed."""


class Ending(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    CLIENT_LEFT = "client left"
    DEADLINE = "deadline"
    UPSTREAM = "upstream failed"
    SHUTDOWN = "shutdown"
    BUG = "internal error"


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
    """Seconds from having a place to the provider's first event."""
    usage: Usage | None = None
    partial: bool = False
    """The answer did not come to its end: :attr:`usage` and :attr:`cost` are what is known of it."""
    cost: float | None = None
    ending: Ending = Ending.DONE
    error: str | None = None
    """As :func:`piproxy.logged.logged` puts it: no words of others."""
    bug: Exception | None = None
    dropped: tuple[str, ...] = ()
    cut: Callable[[], None] | None = None
    """Lets the provider know at once that the client has gone, before the tasks between them have their turns."""


class Encoder(Protocol):
    """A dialect's way to write events for the client."""

    @property
    def usage(self) -> Usage | None: ...

    def feed(self, events: Sequence[Event], /) -> bytes: ...


class StreamingEncoder(Encoder, Protocol):
    """One that can also say, in the middle of a stream, that something went wrong or that we are still there."""

    def fail(self, error: PiproxyError, /) -> bytes: ...

    def keep_alive(self) -> bytes: ...


class Sink(Protocol):
    """Takes an answer's frames to the client; a memory channel does."""

    def send_nowait(self, value: bytes, /) -> None:
        """Raises :class:`trio.WouldBlock` when the client is not ready."""
        ...

    async def send(self, value: bytes, /) -> None: ...

    async def aclose(self) -> None: ...


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
    ) -> AbstractAsyncContextManager[Answer]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One chat on its way to one model."""

    chat: Chat
    model: Model
    record: Record
    override_key: str | None = None
    """The client's own key for the provider (``X-Pi-Upstream-Api-Key``)."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known when the answer begins."""

    dropped: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    """State of one running exchange."""

    began: bool = False
    sent_at: float = 0.0


Deliver = Callable[[Sequence[Event]], Awaitable[None] | None]
"""Takes events; what it returns, if anything, is the waiting for a client that is not ready for them."""


class Exchange:
    """Everything an exchange needs that outlives a request."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        credential: Callable[[Model, str | None], Awaitable[Credential]],
        limits: Limits,
        memory: ReplayMemory | None = None,
        cache: Literal["none", "short", "long"] = "short",
        images: Callable[[Chat], Awaitable[Chat]] | None = None,
        other: Callable[[Model, Credential, ProviderError], Awaitable[Credential | None]] | None = None,
    ) -> None:
        """``images`` puts images in place of their addresses, for rooms that cannot send addresses.

        ``other`` is asked for another credential in place of one that the provider refused; ``None``: there is none. It
        may add to the error's message.
        """
        self.limits = limits
        self.places = Places()
        self._upstream = upstream
        self._credential = credential
        self._images = images
        self._other = other
        self._memory = memory if memory is not None else ReplayMemory()
        self.cache = cache
        self._running: set[_Deadline] = set()

    def __len__(self) -> int:
        """How many exchanges are running, or wait for a place."""
        return len(self._running)

    def end_all(self, error: PiproxyError) -> None:
        """End every running exchange with ``error``; each closes its upstream and tells its client."""
        for running in self._running:
            running.fail(error)

    async def whole(self, call: Call, fold: Encoder) -> tuple[Head, bytes]:
        """The answer in one piece. Raises :class:`PiproxyError`; cancelled when the client leaves."""
        body: list[bytes] = []
        size = 0

        def deliver(events: Sequence[Event]) -> None:
            nonlocal size
            size += sum(map(_size, events))
            if size > MAX_WHOLE:
                raise UpstreamBroken(f"The provider's answer has more than {MAX_WHOLE} characters.")
            body.append(fold.feed(events))

        try:
            await self._converse(call, deliver)
        except PiproxyError as error:
            _note(call.record, error)
            raise
        finally:
            _account(call, fold.usage)
        return Head(call.record.dropped), b"".join(body)

    async def stream(
        self,
        call: Call,
        encoder: StreamingEncoder,
        out: Sink,
        *,
        task_status: trio.TaskStatus[Head] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """The answer, frame by frame, into ``out``.

        ``started(head)`` is the promise that the provider accepted: it is called at its first event, or after
        ``limits.hold`` seconds. What goes wrong before that is raised; afterwards it becomes the encoder's error frame.
        """
        progress = _Progress(sent_at=trio.current_time())
        failure: PiproxyError | None = None

        def begin() -> None:
            if not progress.began:
                progress.began = True
                task_status.started(Head(call.record.dropped))

        async def wait_for_client(frames: bytes) -> None:
            await out.send(frames)
            progress.sent_at = trio.current_time()

        def deliver(events: Sequence[Event]) -> Awaitable[None] | None:
            begin()
            if frames := encoder.feed(events):
                try:
                    out.send_nowait(frames)
                except trio.WouldBlock:
                    return wait_for_client(frames)
                progress.sent_at = trio.current_time()
            return None

        async with aclosing(out):
            try:
                async with trio.open_nursery() as beside:
                    beside.start_soon(self._tick, progress, begin, encoder, out)
                    try:
                        await self._converse(call, deliver)
                    except PiproxyError as error:
                        failure = error
                    except Exception as bug:  # noqa: BLE001  (it ends this one request, and the log has it)
                        call.record.bug = bug
                        failure = GatewayError("piproxy itself failed; its log says more.")
                    beside.cancel_scope.cancel()
            finally:
                _account(call, encoder.usage)
            if failure is None:
                return
            _note(call.record, failure)
            if not progress.began:
                raise failure
            with trio.move_on_after(LAST_FRAME):
                await out.send(encoder.fail(failure))

    async def _tick(
        self,
        progress: _Progress,
        begin: Callable[[], None],
        encoder: StreamingEncoder,
        out: Sink,
    ) -> None:
        """Begin the answer when the provider thinks for long, then tell the client from time to time that we live."""
        await trio.sleep(self.limits.hold)
        begin()
        every = self.limits.keep_alive
        if not every:
            return
        while True:
            await trio.sleep_until(progress.sent_at + every)
            if trio.current_time() >= progress.sent_at + every:
                await out.send(encoder.keep_alive())
                progress.sent_at = trio.current_time()

    async def _converse(self, call: Call, deliver: Deliver) -> None:
        """Wait for a place, then ask the provider."""
        began = trio.current_time()
        with _Deadline(self.limits, self._running) as deadline:
            deadline.client()
            async with self.places.place():
                call.record.queued = trio.current_time() - began
                await self._ask(call, deliver, deadline)

    async def _ask(self, call: Call, deliver: Deliver, deadline: _Deadline) -> None:
        """Ask the provider and deliver its events as they come; again, if a refused credential has a successor."""
        credential = await self._credential(call.model, call.override_key)
        other: Credential | None = None
        try:
            await self._ask_as(credential, call, deliver, deadline)
        except ProviderError as error:
            if self._other is not None and _refuses(error, credential):
                deadline.client()
                other = await self._other(call.model, credential, error)
            if other is None:
                raise
        if other is not None:
            await self._ask_as(other, call, deliver, deadline)

    async def _ask_as(self, credential: Credential, call: Call, deliver: Deliver, deadline: _Deadline) -> None:
        try:
            await self._ask_with(credential, call, deliver, deadline)
        except PiproxyError as error:
            # Some providers repeat the key, the one that they refuse above all.
            secrets = credential.secrets
            error.message = conceal(error.message, secrets)
            error.code = error.code and conceal(error.code, secrets)
            error.param = error.param and conceal(error.param, secrets)
            error.headers = {name: conceal(value, secrets) for name, value in error.headers.items()}
            raise

    async def _ask_with(self, credential: Credential, call: Call, deliver: Deliver, deadline: _Deadline) -> None:
        began = trio.current_time()
        record = call.record
        model, options = self._options(call, credential)
        room = room_for(model.api)
        try:
            request = _built(room, call.chat, model, options)
        except NeedsInlineImages:
            if self._images is None:
                raise
            deadline.images()
            chat = await self._images(call.chat)
            deadline.client()
            request = _built(room, chat, model, options)
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
                with trio.move_on_after(ERROR_BODY), suppress(UpstreamBroken):
                    await read_all(answer, into=body)
                raise _blamed(room.parse_failure(answer.status, answer.headers, b"".join(body)), credential)
            parser = room.stream_parser(request, _content_type(answer.headers))
            try:
                await self._hear(answer, parser, deliver, deadline, record, began)
            except BaseException:
                # Nobody waits for the rest; what was said until now is paid for all the same.
                _account(call, parser.usage_so_far if isinstance(parser, TellsUsage) else None, partial=True)
                raise
            self._memory.keep(model.api, parser.replay)
            deadline.finished()
            with trio.move_on_after(DRAIN), suppress(UpstreamBroken):
                while await answer.read():
                    pass

    async def _hear(
        self,
        answer: Answer,
        parser: StreamParser,
        deliver: Deliver,
        deadline: _Deadline,
        record: Record,
        began: float,
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


class _Deadline:
    """One cancel scope around the provider's side; the deadline is moved before each wait."""

    def __init__(self, limits: Limits, running: set[_Deadline]) -> None:
        self._limits = limits
        self._running = running
        self._end = trio.current_time() + limits.total
        self._scope = trio.CancelScope(deadline=self._end)
        self._why = "", 0.0
        self._error: PiproxyError | None = None
        self._finished = False

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
        self._expect(self._limits.idle, "The provider was silent for {} s in the middle of its answer.")

    def client(self) -> None:
        """We wait for the client, or for ourselves: only the total counts."""
        self._expect(inf, "")

    def _expect(self, seconds: float, why: str) -> None:
        deadline = trio.current_time() + seconds
        if deadline >= self._end:
            deadline, seconds, why = self._end, self._limits.total, "The answer took longer than {} s."
        self._why = why, seconds
        self._scope.deadline = deadline


def _built(room: Room, chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request, or a refusal that names its place in the client's messages."""
    try:
        return room.build_request(chat, model, options)
    except ClientError as error:
        if error.part is not None:
            error.param = place_of(chat.messages, error.part) or error.param
        raise


def _size(event: Event) -> int:
    """Characters, roughly: what is not text is small."""
    match event:
        case TextDelta(text) | ReasoningDelta(text) | RefusalDelta(text):
            return len(text)
        case ToolCallDelta(_, arguments):
            return len(arguments)
    return 100


def _refuses(error: ProviderError, credential: Credential) -> bool:
    """The answer itself, not an error in its stream, says that our own credential does not count."""
    return error.upstream_status is not None and error.code == "upstream_auth_error" and not credential.from_client


def _blamed(error: ProviderError, credential: Credential) -> ProviderError:
    """A key that the client gave and the provider refuses is the client's fault, not ours."""
    if error.code == "upstream_auth_error" and credential.from_client:
        return ProviderError(
            error.message,
            upstream_status=error.upstream_status,
            status=error.upstream_status if error.upstream_status in (401, 403) else 401,
            type="invalid_request_error",
            code="invalid_api_key",
        )
    return error


def _account(call: Call, usage: Usage | None, *, partial: bool = False) -> None:
    if usage is not None:
        call.record.partial = partial
        call.record.usage = usage
        call.record.cost = cost_of(usage, call.model.cost).total


def _note(record: Record, error: PiproxyError) -> None:
    record.error = logged(error)
    if record.bug is not None:
        record.ending = Ending.BUG
    elif isinstance(error, ShuttingDown):
        record.ending = Ending.SHUTDOWN
    elif isinstance(error, UpstreamTimeout):
        record.ending = Ending.DEADLINE
    elif error.status < 500:
        record.ending = Ending.REFUSED
    else:
        record.ending = Ending.UPSTREAM


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _upstream_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in UPSTREAM_IDS if name in headers), None)
