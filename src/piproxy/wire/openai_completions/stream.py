"""The bytes of an answer: an event stream, or one JSON document where the upstream would not stream (reference, 14).

What comes is told by its first byte, because servers mislabel both: an error document may say ``text/event-stream``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from piproxy import jsontext
from piproxy.errors import ProviderError, UpstreamBroken, UpstreamError
from piproxy.events import Event, TextDelta, Usage
from piproxy.framing.sse import MAX_FRAME, Frame, SSEReader
from piproxy.jsontext import Json
from piproxy.providererror import complaint, provider_error
from piproxy.redact import redact
from piproxy.wire.openai_completions.answer import Answer
from piproxy.wire.openai_completions.request import Notes
from piproxy.wire.room import StreamParser, WireRequest

_DOCUMENT: Final = frozenset(b'{["<')


def stream_parser(request: WireRequest, content_type: str) -> StreamParser:
    """A parser for one answer; ``content_type`` is not needed, see above."""
    del content_type
    notes = request.notes
    return CompletionsParser(notes if isinstance(notes, Notes) else Notes())


class CompletionsParser:
    """Reads one answer; see :class:`piproxy.wire.room.StreamParser`."""

    def __init__(self, notes: Notes) -> None:
        self.replay: Mapping[str, Json] = {}
        self._notes = notes
        self._answer = Answer(notes)
        self._sse = SSEReader()
        self._head = b""
        self._document: list[bytes] | None = None
        self._sniffed = False
        self._size = 0
        self._over = False

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._answer.used if self._answer.begun else None

    def feed(self, data: bytes) -> Sequence[Event]:
        if not self._sniffed:
            self._head += data
            data = self._sniff()
        if self._document is not None:
            self._collect(data)
            return ()
        only = self._sse.only(data)
        if only is None or self._over or not only.startswith("{"):
            frames = self._sse.feed(data)
            return _taken(self._frames(frames)) if frames else ()
        chunk = self._chunk(only)
        text = self._answer.text_of(chunk)
        return (TextDelta(text),) if text is not None else _taken(self._answer.read(chunk))

    def end(self) -> Sequence[Event]:
        if self._over:
            return ()
        return _taken(self._last() if self._document is None else self._whole(b"".join(self._document)))

    def _sniff(self) -> bytes:
        """Decide by the first byte that is not white space; returns what is to be read now."""
        start = self._head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if self._head in (b"\xef", b"\xef\xbb"):
            return b""
        if not start:
            self._head = b""
            return b""
        self._sniffed = True
        if start[0] in _DOCUMENT:
            self._document = []
        head, self._head = self._head, b""
        return head

    def _collect(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_FRAME:
            raise UpstreamBroken(f"The provider sent a document of more than {MAX_FRAME} bytes.")
        if self._document is not None:
            self._document.append(data)

    def _frames(self, frames: Sequence[Frame]) -> Iterator[Event]:
        for frame in frames:
            if self._over:
                return
            data = frame.data.strip()
            if data.startswith("[DONE]"):
                yield from self._done()
            elif data:
                if frame.event == "error":
                    raise provider_error(None, complaint(data.encode("utf-8", "replace")))
                chunk = self._chunk(data)
                text = self._answer.text_of(chunk)
                if text is not None:
                    yield TextDelta(text)
                else:
                    yield from self._answer.read(chunk)

    def _chunk(self, data: str) -> Json:
        try:
            return jsontext.parse(data)
        except (ValueError, RecursionError):
            ours = "The provider sent a frame that is not JSON"
            raise UpstreamBroken(f"{ours}: {redact(data[:200])}", logged=f"{ours}.") from None

    def _done(self) -> Iterator[Event]:
        """The upstream says that it said everything; a reason that it left out can be inferred."""
        if not self._answer.begun:
            raise self._stray_error() or UpstreamBroken("The provider ended the stream without an answer.")
        yield from self._finish()

    def _finish(self) -> Iterator[Event]:
        yield from self._answer.end()
        self.replay = self._answer.replay
        self._over = True

    def _last(self) -> Iterator[Event]:
        """The connection ended without ``[DONE]``."""
        tail = self._sse.end()
        try:
            yield from self._frames(tail)
        except UpstreamBroken:
            if not self._answer.finished:
                raise
        if self._over:
            return
        if self._answer.finished or (self._notes.infer_finish and self._answer.begun and not tail):
            yield from self._finish()
            return
        raise self._stray_error() or UpstreamBroken("The provider's stream ended before the answer was complete.")

    def _stray_error(self) -> ProviderError | None:
        """An error document that a server wrote between frames, or instead of them."""
        strays = b"\n".join(self._sse.strays).strip()
        if not strays.startswith((b"{", b"[", b"<")):
            return None
        found = complaint(strays)
        return provider_error(None, found) if found.message else None

    def _whole(self, body: bytes) -> Iterator[Event]:
        """One JSON document: an error, or a completion that was not streamed."""
        try:
            value = jsontext.parse(body.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            said = complaint(body).message if body.lstrip()[:1] == b"<" else ""
            ours = "The provider answered with something that is neither a stream nor JSON"
            raise UpstreamBroken(f"{ours}: {said[:500]}" if said else f"{ours}.", logged=f"{ours}.") from None
        events = list(self._answer.read(value, whole=True))
        if not isinstance(value, Mapping) or not isinstance(value.get("choices"), list) or not value["choices"]:
            raise UpstreamBroken("The provider answered with JSON that is no completion.")
        yield from events
        yield from self._finish()


def _taken(events: Iterator[Event]) -> Sequence[Event]:
    """All events; an error takes those before it along."""
    taken: list[Event] = []
    try:
        for event in events:
            taken.append(event)  # noqa: PERF402 - a comprehension would lose them
    except UpstreamError as error:  # as `keeping` does, without a context manager for every piece of a stream
        error.events = (*taken, *error.events)
        raise
    return taken
