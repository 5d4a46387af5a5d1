"""HTTP messages out of the bytes of a connection, as they come: HTTP/1.1 and HTTP/2, requests and responses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import h11
from hpack import Decoder
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, RstStreamFrame

_DONE: Final = b"data: [DONE]"
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass(slots=True)
class Message:
    """One request or response, as far as it came."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    """Names in lower case; ``:method``, ``:path`` and ``:status`` among them, for HTTP/1.1 too; ``:early``: the status
    of an answer before the answer (100)."""
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    """The body, with the moment at which each piece came."""
    began: float = 0.0
    ended: float | None = None
    """``None``: it stopped short."""
    reset: bool = False
    """HTTP/2: this side wants nothing more of the stream."""

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def complete(self) -> bool:
        """To its end; many clients leave at a stream's last frame, or the last byte, before HTTP says so."""
        if self.ended is not None or any(_DONE in data for _, data in self.pieces[-1:]):
            return True
        length = self.get("content-length")
        return length is not None and sum(len(data) for _, data in self.pieces) >= int(length)

    @property
    def status(self) -> int:
        return int(self.get(":status") or 0)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Reader:
    """One direction of an HTTP/1.1 connection."""

    def __init__(self, role: str) -> None:
        """``role``: whose bytes these are, ``client`` or ``server``."""
        self.messages: list[Message] = []
        self._role = role
        self._http = self._fresh()
        self._open: Message | None = None
        self._early: list[tuple[str, str]] = []

    def feed(self, data: bytes, at: float) -> None:
        """Raises :class:`h11.RemoteProtocolError` for what is not HTTP."""
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Request):
                pseudo = [(":method", event.method.decode()), (":path", event.target.decode())]
                self._begin(pseudo, event.headers, at)
            elif isinstance(event, h11.InformationalResponse):
                self._early.append((":early", str(event.status_code)))
            elif isinstance(event, h11.Response):
                self._begin([(":status", str(event.status_code)), *self._early], event.headers, at)
                self._early = []
            elif isinstance(event, h11.Data) and self._open is not None:
                self._open.pieces.append((at, bytes(event.data)))
            elif isinstance(event, h11.EndOfMessage) and self._open is not None:
                self._open.ended = at
                self._open = None
                rest, _ = self._http.trailing_data
                self._http = self._fresh()
                if not rest:
                    return
                self._http.receive_data(rest)

    def close(self, at: float) -> None:
        """The connection ended: a message without a length is complete now."""
        if self._open is not None:
            try:
                self.feed(b"", at)
            except h11.RemoteProtocolError:
                self._open = None

    def _begin(self, pseudo: list[tuple[str, str]], headers: Iterable[tuple[bytes, bytes]], at: float) -> None:
        plain = [(name.decode(), value.decode("latin-1")) for name, value in headers]
        self._open = Message([*pseudo, *plain], began=at)
        self.messages.append(self._open)

    def _fresh(self) -> h11.Connection:
        if self._role == "client":
            return h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        http.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        http.send(h11.EndOfMessage())
        return http


class Reader2:
    """One direction of an HTTP/2 connection; the messages in the order of their streams."""

    def __init__(self) -> None:
        self._streams: dict[int, Message] = {}
        self._held = b""
        self._hpack = Decoder()
        self._block = b""
        self._begun = False

    @property
    def messages(self) -> list[Message]:
        return [self._streams[number] for number in sorted(self._streams)]

    def feed(self, data: bytes, at: float) -> None:
        self._held += data
        if not self._begun and self._held.startswith(PREFACE[: len(self._held)]):
            if len(self._held) < len(PREFACE):
                return
            self._held = self._held[len(PREFACE) :]
        self._begun = True
        while len(self._held) >= 9:
            frame, size = Frame.parse_frame_header(memoryview(self._held)[:9])
            if len(self._held) < 9 + size:
                return
            frame.parse_body(memoryview(self._held)[9 : 9 + size])
            self._held = self._held[9 + size :]
            self._frame(frame, at)

    def close(self, at: float) -> None:
        """Streams end by themselves."""

    def _frame(self, frame: Frame, at: float) -> None:
        message = self._streams.get(frame.stream_id)
        if isinstance(frame, HeadersFrame | ContinuationFrame):
            self._block += frame.data
            if "END_HEADERS" in frame.flags:
                headers = [(str(name), str(value)) for name, value in self._hpack.decode(self._block)]
                self._block = b""
                if message is None:
                    message = self._streams[frame.stream_id] = Message(headers, began=at)
        elif isinstance(frame, DataFrame) and message is not None:
            message.pieces.append((at, frame.data))
        if "END_STREAM" in frame.flags and message is not None:
            message.ended = at
        elif isinstance(frame, RstStreamFrame) and message is not None:
            message.reset = True


def readers(first: bytes) -> tuple[Reader | Reader2, Reader | Reader2]:
    """For a connection whose client begins with these bytes: a reader of its requests, one of the responses."""
    if first.startswith(PREFACE[:8]):
        return Reader2(), Reader2()
    return Reader("client"), Reader("server")
