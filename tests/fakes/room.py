"""The smallest room: an answer is lines, ``hello`` is a text delta, ``!end`` is the end, ``!error`` an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from piproxy.chat import Chat
from piproxy.errors import ProviderError, UpstreamBroken
from piproxy.events import Event, Finish, Started, TextDelta, Usage
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.room import Options, WireRequest, keeping

MODEL = Model(provider="fake", id="m", api="fake", base_url="http://provider.test/v1")


class Parser:
    def __init__(self) -> None:
        self.replay: Mapping[str, Json] = {"call_1": "signature"}
        self._rest = b""

    def feed(self, data: bytes) -> Sequence[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        events: list[Event] = []
        with keeping(events):
            for line in lines:
                events += self._line(line.decode())
        return events

    def end(self) -> Sequence[Event]:
        raise UpstreamBroken("stopped short")

    def _line(self, line: str) -> Sequence[Event]:
        match line:
            case "!start":
                return [Started("up-1")]
            case "!end":
                return [Usage(input=3, output=2), Finish("stop")]
            case "!error":
                raise ProviderError("the provider is sad", status=503, code="overloaded")
            case "!bug":
                raise RuntimeError("a bug")
            case "" | "!ping":
                return []
        return [TextDelta(line)]


class Room:
    def build_request(self, chat: Chat, model: Model, options: Options) -> WireRequest:
        return WireRequest(url=f"{model.base_url}/say", body=chat.model.encode(), headers={}, dropped=("seed",))

    def stream_parser(self, request: WireRequest, content_type: str) -> Parser:
        return Parser()

    def parse_failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        code = "upstream_auth_error" if status in (401, 403) else None
        mapped = 502 if status in (401, 403) else status
        return ProviderError(body.decode(), upstream_status=status, status=mapped, code=code)
