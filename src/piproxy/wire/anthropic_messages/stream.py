"""Answers of the Messages API: an event stream, or one whole message (wire-native-apis.md, 2.10)."""

from __future__ import annotations

from collections.abc import Iterator

from piproxy import jsontext
from piproxy.errors import UpstreamBroken
from piproxy.events import Event, Usage
from piproxy.framing.sse import Frame
from piproxy.wire.anthropic_messages.failure import stream_failure
from piproxy.wire.anthropic_messages.message import Message
from piproxy.wire.anthropic_messages.notes import Notes
from piproxy.wire.room import AnswerParser, WireRequest


def stream_parser(request: WireRequest, content_type: str) -> MessageParser:  # noqa: ARG001
    """A new parser. The content type is not asked: gateways get it wrong, and the first byte tells."""
    return MessageParser(request.notes if isinstance(request.notes, Notes) else Notes())


class MessageParser(AnswerParser):
    """One answer. An ``error`` event raises :class:`~piproxy.errors.ProviderError`; an answer without ``message_stop``
    or without a stop reason is :class:`~piproxy.errors.UpstreamBroken`.
    """

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._message = Message(notes)

    @property
    def usage_so_far(self) -> Usage | None:
        """See :class:`~piproxy.wire.room.TellsUsage`."""
        return self._message.usage_so_far

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        events.extend(self._event(frame.data, frame.event))
        self._note_end()

    def _document(self, body: bytes, events: list[Event]) -> None:
        events.extend(self._whole(body))
        self._note_end()

    def _note_end(self) -> None:
        self._finished = self._message.done
        self.replay = self._message.replay

    def _cut_short(self, events: list[Event]) -> None:  # noqa: ARG002 - only message_stop finishes
        """A stream without ``message_stop`` is an error; a bare error document behind it says why."""
        try:
            said = jsontext.parse(self._reader.strays)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict) and said.get("error"):
            raise stream_failure(said)
        if self._message.started:
            raise UpstreamBroken("The provider's stream ended before message_stop.")
        raise UpstreamBroken("The provider answered with something that is no message.")

    def _event(self, data: str, name: str | None) -> Iterator[Event]:
        if data.strip() in ("", "[DONE]"):
            return
        try:
            event = jsontext.parse(data)
        except (ValueError, RecursionError):
            if name == "error":
                raise stream_failure(data) from None
            raise UpstreamBroken("The provider sent an event that is not JSON.") from None
        if not isinstance(event, dict):
            raise UpstreamBroken("The provider sent an event that is not an object.")
        kind = event.get("type") or name
        if kind == "error" or name == "error" or (kind is None and event.get("error")):
            raise stream_failure(event)
        match kind:
            case "message_start":
                yield from self._message.start(event.get("message"))
            case "content_block_start":
                yield from self._message.block_start(event.get("index"), event.get("content_block"))
            case "content_block_delta":
                yield from self._message.block_delta(event.get("index"), event.get("delta"))
            case "content_block_stop":
                yield from self._message.block_stop(event.get("index"))
            case "message_delta":
                self._message.delta(event)
            case "message_stop":
                yield from self._message.finish()
            case _:  # ping, and whatever the API adds
                pass

    def _whole(self, body: bytes) -> Iterator[Event]:
        """A whole message as one JSON document."""
        try:
            message = jsontext.parse(body)
        except (ValueError, RecursionError):
            raise UpstreamBroken("The provider's answer is not complete JSON.") from None
        if not isinstance(message, dict) or message.get("type") == "error" or message.get("error"):
            raise stream_failure(message)
        if not isinstance(message.get("content"), list) or "stop_reason" not in message:
            raise UpstreamBroken("The provider answered with something that is no message.")
        yield from self._message.start(message)
        yield from self._message.finish()
