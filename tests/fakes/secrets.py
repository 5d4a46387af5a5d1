"""Listens to all that a served app says, and looks for the secrets that the test used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from piproxy.exchange import Record
from piproxy.jsontext import Json
from piproxy.server.app import App
from piproxy.server.log import Log, Write

GIVEN: Final = (b"authorization", b"x-api-key", b"x-pi-upstream-api-key")
SHORTEST: Final = 8
"""Characters; anything shorter is a word that may well stand in an answer."""
MOST: Final = 4_000_000
"""Bytes of answers that are kept."""


class BothForms(Log):
    """The log for programs and, beside it, the same for people."""

    def __init__(self, programs: Write, people: Write) -> None:
        super().__init__("json", programs)
        self._people = Log("human", people)

    def request(self, record: Record, seconds: float) -> None:
        super().request(record, seconds)
        self._people.request(record, seconds)

    def event(self, text: str, **fields: Json) -> None:
        super().event(text, **fields)
        self._people.event(text, **fields)


class Secrets:
    """What may be said to nobody, and what was said."""

    def __init__(self, *configured: Any) -> None:
        self._secrets = {text for value in configured for text in _marked(value)}
        self._said: list[bytes] = []
        self._size = 0

    def listen(self, app: App) -> None:
        """From now on to every answer of ``app``, whatever the protocol."""
        inner = app.asgi_app

        async def listening(scope: Any, receive: Any, send: Any) -> None:
            for name, value in scope.get("headers", ()):
                if name in GIVEN:
                    self._secrets.add(value.decode("latin-1").rpartition(" ")[2])

            async def spy(message: Any) -> None:
                if message["type"] == "http.response.start":
                    self._keep(b"\n".join(name + b": " + value for name, value in message["headers"]))
                elif message["type"] == "http.response.body":
                    self._keep(message.get("body", b""))
                await send(message)

            await inner(scope, receive, spy)

        app.asgi_app = listening  # type: ignore[method-assign]

    def check(self, lines: Iterable[str]) -> None:
        """Neither these log lines nor what clients heard holds a secret."""
        said = b"".join(self._said).decode("utf-8", "replace")
        logged = "\n".join(lines)
        for secret in self._secrets:
            if len(secret) >= SHORTEST:
                assert secret not in said, "a secret reached a client"
                assert secret not in logged, "a secret is in the log"

    def _keep(self, data: bytes) -> None:
        if self._size < MOST:
            self._said.append(data)
            self._size += len(data)


def _marked(value: Any) -> Iterator[str]:
    """Keys, tokens and header values in a document, and the commands that print them."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if isinstance(member, str) and (name in ("apiKey", "key", "auth_token") or name.lower() in _HEADERS):
                yield member.removeprefix("!")
                yield member.rpartition(" ")[2]
            else:
                yield from _marked(member)
    elif isinstance(value, list):
        for member in value:
            yield from _marked(member)


_HEADERS: Final = frozenset(("authorization", "x-api-key", "api-key", "cf-aig-authorization"))
