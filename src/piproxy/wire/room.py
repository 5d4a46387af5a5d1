"""The contract of a room: what every provider API must offer, and nothing else.

A room is a package ``piproxy.wire.<room>`` with three modules of the same names everywhere:

* ``request.py``: ``build_request(chat, model, options) -> WireRequest``
* ``stream.py``: ``stream_parser(request, content_type) -> StreamParser``
* ``failure.py``: ``parse_failure(status, headers, body) -> ProviderError``

All pure: bytes and dataclasses in, dataclasses and bytes out; no clock, no randomness that a test cannot see, no I/O.
State lives in the parser, one per request, never shared. :mod:`piproxy.wire.rooms` finds a room by pi's api id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from piproxy.chat import Chat
from piproxy.errors import ProviderError, UnsupportedParameter, UpstreamError
from piproxy.events import Event, Usage
from piproxy.framing.answer import AnswerReader
from piproxy.framing.sse import Frame
from piproxy.jsontext import Json
from piproxy.model import Model

AuthScheme: TypeAlias = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "aws", "none"]
"""Where the API's own default puts the key: ``Authorization: Bearer``, or the header of that name, or SigV4."""

Identity: TypeAlias = Literal["api_key", "claude_code", "chatgpt"]
"""As whom the request speaks. ``claude_code``: a Claude subscription token (``sk-ant-oat``); ``chatgpt``: OpenAI's
"Sign in with ChatGPT" token. Both change the body, so a room must know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a room needs beside the chat and the model; nothing secret."""

    session_id: str | None = None
    """A stable id of the conversation: prompt cache and routing affinity."""
    cache: Literal["none", "short", "long"] = "short"
    """Prompt-cache retention; ``short`` is pi's default, ``PI_CACHE_RETENTION=long`` asks for more."""
    identity: Identity = "api_key"
    env: Mapping[str, str] = field(default_factory=dict)
    """Provider variables (never keys): ``AZURE_OPENAI_BASE_URL``, ``CLOUDFLARE_ACCOUNT_ID``, ``AWS_REGION`` …"""
    replay: Mapping[str, Json] = field(default_factory=dict)
    """Opaque blocks (signatures, encrypted thinking) that this process remembers, by tool-call id as the client knows
    it. The value is what the room itself put into :attr:`StreamParser.replay` earlier."""
    key_kind: Literal["key", "adc", "none"] = "key"
    """Vertex: an API key, or a Google token (its URLs differ)."""
    wire_id: str = ""
    """A fresh id of this request, for APIs that need one in the body or to make up missing tool-call ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One HTTP request, still unsigned."""

    url: str
    body: bytes
    headers: Mapping[str, str | None]
    """The room's layers, merged (wire-openai-family.md, 2.2, steps 1 to 5 without the key); ``None`` removes."""
    auth: AuthScheme = "bearer"
    method: str = "POST"
    region: str | None = None
    """For SigV4."""
    dropped: tuple[str, ...] = ()
    """Request fields, by the client's names, that this API has no place for."""
    notes: object = None
    """What the room's own parser must know about the request (tool names, id maps, stops); nobody else reads it."""
    streaming: bool = True
    """The answer will be streamed. ``False`` only for an API or option that cannot stream."""


UNANSWERABLE: Final = ("logit_bias", "logprobs", "top_logprobs", "web_search_options")
"""Fields whose silent loss would make the answer another one than was asked for."""


def refuse(chat: Chat, lacking: Collection[str] = UNANSWERABLE) -> None:
    """Refuse what a client wishes of :data:`UNANSWERABLE` and the API lacks.

    Raises :class:`~piproxy.errors.UnsupportedParameter`.
    """
    wished = {
        "logit_bias": bool(chat.logit_bias),
        "logprobs": chat.logprobs,
        "top_logprobs": bool(chat.top_logprobs),
        "web_search_options": chat.web_search_options is not None,
    }
    for name in UNANSWERABLE:
        if wished[name] and name in lacking:
            raise UnsupportedParameter(f"'{name}' is not supported by this model's API.", param=name)


@contextmanager
def keeping(events: Sequence[Event]) -> Iterator[None]:
    """Around the loop of a ``feed`` or ``end``: an error takes the events before it along, so that none is lost."""
    try:
        yield
    except UpstreamError as error:
        error.events = (*events, *error.events)
        raise


class StreamParser(Protocol):
    """Bytes of one answer (HTTP status 200) in, events out; any cut of the bytes gives the same events."""

    replay: Mapping[str, Json]
    """After ``Finish``: what :attr:`Options.replay` should hold next time, by tool-call id. Often empty."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """Events that became complete. Raises :class:`~piproxy.errors.ProviderError` for an error inside the stream,
        :class:`~piproxy.errors.UpstreamBroken` for bytes that make no sense; the error's ``events`` are those that
        stood before it in the same bytes (use :func:`keeping`)."""
        ...

    def end(self) -> Sequence[Event]:
        """The connection ended cleanly. The last events, :class:`~piproxy.events.Finish` among them if it was not given
        yet; raises :class:`~piproxy.errors.UpstreamBroken` if the answer stopped short."""
        ...


F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)


class FrameReader(Protocol[F_co]):
    """Bytes in, frames out: events of a stream, binary messages, documents."""

    def feed(self, data: bytes, /) -> Iterable[F_co]: ...

    def end(self) -> Iterable[F_co]: ...


class FrameParser(ABC, Generic[F]):
    """A :class:`StreamParser` of frames; a room says what those mean.

    Its methods append to ``events``, so that an error takes along what stood before it. Once :attr:`_finished` is set,
    nothing more is read.
    """

    def __init__(self, frames: FrameReader[F]) -> None:
        self.replay: Mapping[str, Json] = {}
        self._finished = False
        self._source = frames

    def feed(self, data: bytes) -> Sequence[Event]:
        """See :class:`StreamParser`."""
        events: list[Event] = []
        if not self._finished:
            with keeping(events):
                self._frames(self._source.feed(data), events)
        return events

    def end(self) -> Sequence[Event]:
        """See :class:`StreamParser`."""
        events: list[Event] = []
        if not self._finished:
            with keeping(events):
                self._frames(self._source.end(), events)
                if not self._finished:
                    self._ended(events)
        return events

    def _frames(self, frames: Iterable[F], events: list[Event]) -> None:
        for frame in frames:
            if not self._finished:
                self._frame(frame, events)

    @abstractmethod
    def _frame(self, frame: F, events: list[Event]) -> None:
        """One frame."""

    @abstractmethod
    def _ended(self, events: list[Event]) -> None:
        """The bytes ended before the answer did, as far as the frames say: finish all the same, or raise."""


class AnswerParser(FrameParser[Frame]):
    """One of an event stream, or of one document in its place."""

    def __init__(self) -> None:
        self._reader = AnswerReader()
        super().__init__(self._reader)

    def _ended(self, events: list[Event]) -> None:
        if self._reader.document is not None:
            self._document(self._reader.document, events)
        if not self._finished:
            self._cut_short(events)

    @abstractmethod
    def _document(self, body: bytes, events: list[Event]) -> None:
        """One whole document."""

    @abstractmethod
    def _cut_short(self, events: list[Event]) -> None:
        """As :meth:`_ended`, behind the document if there was one."""


@runtime_checkable
class TellsUsage(Protocol):
    """A parser that knows before the end what the answer has cost: for the log, when nobody waits for the rest."""

    @property
    def usage_so_far(self) -> Usage | None:
        """The provider's counts where it has given them, else estimated ones; ``None`` before the answer has begun."""
        ...


class Room(Protocol):
    """One provider API."""

    @property
    def build_request(self) -> Callable[[Chat, Model, Options], WireRequest]:
        """May raise :class:`~piproxy.errors.ClientError` for what the API cannot do."""
        ...

    @property
    def stream_parser(self) -> Callable[[WireRequest, str], StreamParser]:
        """A new parser; the second argument is the answer's ``content-type``, lower case, ``""`` if missing."""
        ...

    @property
    def parse_failure(self) -> Callable[[int, Mapping[str, str], bytes], ProviderError]:
        """An answer that is not 2xx; header names are lower case."""
        ...
