"""Listens to all that a served app says, and looks for the secrets that the test used.

Apps that a test makes itself are given to :class:`Secrets`; :func:`overhearing` finds those that are served on sockets,
as ``piproxy`` serves them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from piproxy.exchange import Record
from piproxy.jsontext import Json
from piproxy.pi.directory import agent_directory
from piproxy.server import lifecycle
from piproxy.server.app import App, create_app
from piproxy.server.engine import Engine
from piproxy.server.lifecycle import engine_for
from piproxy.server.log import Log, Write
from piproxy.settings.load import Flag

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
        self._secrets: set[str] = set()
        self._said: list[bytes] = []
        self._size = 0
        self.add(*configured)

    def add(self, *configured: Any) -> None:
        """More documents with secrets in them."""
        self._secrets.update(text for value in configured for text in _marked(value))

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


class _Overheard(BothForms):
    """A server's log, which goes on to where it went, and is kept in both forms."""

    def __init__(self, log: Log, lines: list[str]) -> None:
        super().__init__(lines.append, lines.append)
        self._log = log

    def request(self, record: Record, seconds: float) -> None:
        self._log.request(record, seconds)
        super().request(record, seconds)

    def event(self, text: str, **fields: Json) -> None:
        self._log.event(text, **fields)
        super().event(text, **fields)


@contextmanager
def overhearing() -> Iterator[None]:
    """Every proxy that begins to be served in this process meanwhile is listened to; at the end all is searched for
    whatever is secret in its flags, its environment, pi's files and its clients' headers."""
    secrets, lines = Secrets(), list[str]()

    @asynccontextmanager
    async def listened(
        flags: Mapping[str, Flag], environ: Mapping[str, str], flaws: Collection[str] | None
    ) -> AsyncIterator[Engine]:
        files = sorted(agent_directory(environ, Path.home()).root.glob("*.json"))
        secrets.add(dict(flags), *map(_document, files))
        secrets.add({"key": value} for name, value in environ.items() if name.endswith(("_KEY", "_TOKEN")))
        async with engine_for(flags, environ, flaws) as engine:
            engine.log = _Overheard(engine.log, lines)
            yield engine
        secrets.add(*map(_document, files))

    def heard(engine: Engine) -> App:
        app = create_app(engine)
        secrets.listen(app)
        return app

    with patch.multiple(lifecycle, engine_for=listened, create_app=heard):
        yield
    secrets.check(lines)


def _document(path: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None


def _marked(value: Any) -> Iterator[str]:
    """Keys, tokens and header values in a document, and the commands that print them."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if isinstance(member, str) and (name in _NAMES or name.lower() in _HEADERS):
                yield member.removeprefix("!")
                yield member.rpartition(" ")[2]
            else:
                yield from _marked(member)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for member in value:
            yield from _marked(member)


_NAMES: Final = frozenset(
    ("apiKey", "key", "auth_token", "authToken", "access", "refresh", "access_token", "refresh_token", "private_key")
)
_HEADERS: Final = frozenset(("authorization", "x-api-key", "api-key", "cf-aig-authorization"))
