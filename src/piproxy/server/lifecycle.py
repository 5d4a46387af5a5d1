"""One run of the proxy: put it together, listen, obey signals, leave nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import Final

import trio

from piproxy import __version__
from piproxy.errors import ConfigError, ShuttingDown
from piproxy.exposure import Exposure
from piproxy.pi.directory import agent_directory
from piproxy.pi.registry import Registry
from piproxy.server.app import create_app
from piproxy.server.engine import Engine
from piproxy.server.live import LiveSettings
from piproxy.server.log import Log
from piproxy.server.runfile import remove_run_file, write_run_file
from piproxy.server.serving import Server, protocol_config
from piproxy.server.sockets import ClientListener
from piproxy.settings import Settings
from piproxy.settings.load import Flag
from piproxy.upstream.demo import WithDemo
from piproxy.upstream.http import Http
from piproxy.upstream.images import Images
from piproxy.upstream.keyring import Keyring
from piproxy.wire.demo import models as demo_models
from piproxy.wire.rooms import ROOMS

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

STOP_WITH_STDIN: Final = "stop_with_stdin"
"""The flag of a proxy that belongs to the program that started it. It is no setting: a file must not say it."""


def serve(flags: Mapping[str, Flag] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Serve until a signal says stop; the exit code.

    ``flags`` are by field name of :class:`~piproxy.settings.Settings`. Raises
    :class:`~piproxy.errors.ConfigError` when a start makes no sense: the message says what to do.
    """
    try:
        return trio.run(partial(main, dict(flags or {}), dict(os.environ if environ is None else environ)))
    except BaseExceptionGroup as group:
        # Nurseries wrap what is raised in them; a start that makes no sense is one error.
        found = group.subgroup(ConfigError)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]  # type: ignore[assignment]
        if found is None:
            raise
        raise found from None


async def main(
    flags: Mapping[str, Flag],
    environ: Mapping[str, str],
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Serve in this trio run; ``started(addresses)`` when clients can connect."""
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with engine_for(flags, environ) as engine:
            exposure = await engine.exposure()
            listeners = await listen(engine.settings)
            addresses = [address(listener) for listener in listeners]
            server = Server(
                create_app(engine),
                listeners,
                config=protocol_config(idle_connection=engine.settings.idle_connection_sec),
                drain=lambda: engine.settings.drain_sec,
                cut=lambda: engine.exchange.end_all(ShuttingDown("piproxy is stopping; ask again in a moment.")),
                failed=engine.log.bug,
                stall=stall(engine.settings),
            )
            with _noted(agent_directory(environ, Path.home()).proxy_pid, addresses):
                _greet(engine, exposure, addresses)
                async with trio.open_nursery() as nursery:
                    await nursery.start(server.run)
                    task_status.started(addresses)
                    if flags.get(STOP_WITH_STDIN):
                        nursery.start_soon(_stop_with_stdin)
                    code = 0
                    async for number in signals:
                        if number == getattr(signal, "SIGHUP", None):
                            _reload(engine)
                        elif server.stopping:
                            server.kill()
                            code = 128 + number
                            break
                        else:
                            engine.log.event("stopping", signal=signal.Signals(number).name)
                            server.stop()
                            nursery.start_soon(_leave_when_done, server, nursery.cancel_scope)
                    return code
    return 0


def _greet(engine: Engine, exposure: Exposure, addresses: Sequence[str]) -> None:
    for warning in engine.warnings:
        engine.log.event("warning", what=warning)
    count = len(exposure.models)
    for where in addresses:
        say(f"piproxy {__version__} listens on {where}/v1 and exposes {count} model{'' if count == 1 else 's'}.")
    if exposure.why_empty:
        say(exposure.why_empty)


@contextmanager
def _noted(path: Path, addresses: Sequence[str]) -> Iterator[None]:
    """``proxy.pid`` is there as long as this runs."""
    write_run_file(path, addresses)
    try:
        yield
    finally:
        remove_run_file(path, os.getpid())


async def _stop_with_stdin() -> None:
    """Stop when standard input ends: whoever started this proxy has gone, however it ended."""
    # A thread that is left behind in a read ends with the process.
    await trio.to_thread.run_sync(_read_to_the_end, abandon_on_cancel=True)
    signal.raise_signal(signal.SIGTERM)


def _read_to_the_end() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass


@asynccontextmanager
async def engine_for(flags: Mapping[str, Flag], environ: Mapping[str, str]) -> AsyncIterator[Engine]:
    """The engine of one run, its network open."""
    directory = agent_directory(environ, Path.home())
    live = LiveSettings(environ, directory.proxy_config, flags)
    settings = live.settings
    registry = Registry(
        directory,
        environ,
        apis=ROOMS,
        catalog_choice=settings.catalog,
        extra=demo_models() if settings.demo else (),
    )
    async with trio.open_nursery() as background, Http() as http, Images() as images:
        keyring = Keyring(http=http, directory=directory, environ=environ, nursery=background)
        yield Engine(
            live=live,
            registry=registry,
            keyring=keyring,
            upstream=WithDemo(http),
            log=Log(settings.log_format),
            images=images.inlined,
        )


async def listen(settings: Settings) -> list[ClientListener]:
    """Open the sockets. Raises :class:`~piproxy.errors.ConfigError` with the next step."""
    try:
        opened = await trio.open_tcp_listeners(settings.port, host=settings.host)
    except OSError as exc:
        where = f"{settings.host}:{settings.port}"
        if exc.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"{where} is already in use. Another piproxy, or pi-openai-proxy, may be running; choose another "
                "port with --port."
            ) from exc
        raise ConfigError(f"Cannot listen on {where}: {exc.strerror or exc}.") from exc
    return [ClientListener(listener.socket, stall=stall(settings)) for listener in opened]


def stall(settings: Settings) -> float:
    """Seconds that a client may take nothing."""
    return settings.client_stall_timeout_sec or inf


def address(listener: ClientListener) -> str:
    """``http://127.0.0.1:4141``."""
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def say(text: str) -> None:
    """To whoever started the proxy."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _leave_when_done(server: Server, scope: trio.CancelScope) -> None:
    await server.done.wait()
    scope.cancel()


def _reload(engine: Engine) -> None:
    try:
        engine.reload()
    except ConfigError as error:
        engine.log.event("the settings were not changed", reason=error.message)
