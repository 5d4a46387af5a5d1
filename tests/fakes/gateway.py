"""A whole gateway without sockets: real app, real exchange, a scripted provider, log lines in a list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from fakes.client import Client
from fakes.h2client import H2Client
from fakes.provider import Provider, Script
from fakes.secrets import BothForms, Secrets
from fakes.tls import Tls
from hypercorn.config import Config
from trio.testing import wait_all_tasks_blocked

from piproxy.chat import Chat
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.registry import Registry
from piproxy.server.app import App, create_app
from piproxy.server.engine import Engine
from piproxy.server.live import LiveSettings
from piproxy.server.serving import protocol_config
from piproxy.settings.load import Flag
from piproxy.upstream.demo import WithDemo
from piproxy.upstream.http import Http
from piproxy.upstream.keyring import Keyring
from piproxy.wire.demo import models as demo_models
from piproxy.wire.rooms import ROOMS

KEY = "sk-fake-secret-0123456789abcdef"
MODELS = {
    "providers": {
        "fake": {
            "baseUrl": "http://provider.test/v1",
            "api": "openai-completions",
            "apiKey": KEY,
            "models": [{"id": "m", "cost": {"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0}}, {"id": "a/b"}],
        }
    }
}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Gateway:
    app: App
    engine: Engine
    provider: Provider
    nursery: trio.Nursery
    config: Config
    lines: list[str]
    """The log as programs read it."""
    shown: list[str]
    """The same log as people read it."""
    directory: Path

    def client(self, **how: Any) -> Client:
        """A new connection; ``how`` as for :class:`~fakes.client.Client`."""
        return Client(self.app, self.nursery, self.config, **how)

    async def h2(self, *, tls: Tls | None = None, stall: float = 60.0, **how: Any) -> H2Client:
        """A new HTTP/2 connection: with TLS and ALPN, or by prior knowledge."""
        connection = self.client(tls=tls, protocol="h2", stall=stall)
        return await H2Client(connection.stream, self.nursery, done=connection.server_done, **how).start()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log's lines about requests."""
        return [line for line in map(json.loads, self.lines) if line["event"] == "request"]


@asynccontextmanager
async def gateway(
    directory: Path,
    script: Script,
    *,
    flags: Mapping[str, Flag] | None = None,
    models: Any = MODELS,
    idle_connection: float = 75.0,
    images: Callable[[Chat], Awaitable[Chat]] | None = None,
) -> AsyncIterator[Gateway]:
    """Serve.

    Afterwards no connection to the provider may be left that is not idle in the pool, and no secret of ``models`` or
    of a client's headers may be found in any line of the log or in anything that any client was told.
    """
    (directory / "models.json").write_text(json.dumps(models))
    files = AgentDirectory(directory)
    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, script)
        lines: list[str] = []
        shown: list[str] = []
        async with Http(connect=provider.connect) as http:
            engine = Engine(
                live=LiveSettings({}, files.proxy_config, flags or {}),
                registry=Registry(files, {}, apis=ROOMS, catalog_choice="snapshot", extra=demo_models()),
                keyring=Keyring(http=http, directory=files, environ={}, nursery=nursery),
                upstream=WithDemo(http),
                log=BothForms(lines.append, shown.append),
                images=images,
            )
            app = create_app(engine)
            secrets = Secrets(models, dict(flags or {}))
            secrets.listen(app)
            config = protocol_config(idle_connection=idle_connection)
            yield Gateway(app, engine, provider, nursery, config, lines, shown, directory)
        await wait_all_tasks_blocked()
        assert provider.open == 0, "a connection to the provider is still open"
        assert len(engine.exchange) == 0
        secrets.check((*lines, *shown))
        nursery.cancel_scope.cancel()
