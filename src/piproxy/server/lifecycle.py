"""One run of the proxy: put it together, listen, obey signals, leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import trio

from piproxy import __version__
from piproxy.errors import ConfigError, ShuttingDown
from piproxy.exposure import Exposure
from piproxy.pi.directory import agent_directory
from piproxy.pi.registry import Registry
from piproxy.server.app import create_app
from piproxy.server.engine import Engine
from piproxy.server.limits import allow_open_files, open_files
from piproxy.server.listening import listening, shown
from piproxy.server.live import LiveSettings
from piproxy.server.log import Log
from piproxy.server.runfile import remove_run_file, write_run_file
from piproxy.server.serving import Server, protocol_config
from piproxy.server.sockets import ClientListener
from piproxy.server.supervisor import Starter, Supervisor, Worker
from piproxy.server.terminal import Terminal, write_line
from piproxy.server.tls import Certificate, certificate, server_context
from piproxy.server.tls import load as load_certificate
from piproxy.settings import Address, Effective, Settings, load
from piproxy.settings.addresses import beyond_loopback
from piproxy.settings.load import Flag
from piproxy.settings.token import open_warning
from piproxy.upstream.demo import WithDemo
from piproxy.upstream.http import Http
from piproxy.upstream.images import Images
from piproxy.upstream.keyring import Keyring
from piproxy.wire.demo import models as demo_models
from piproxy.wire.rooms import ROOMS

_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_UNIX: Final = getattr(socket, "AF_UNIX", None)

_CLOSED: Final = "the terminal was closed"

STOP_WITH_STDIN: Final = "stop_with_stdin"
"""The flag of a proxy that belongs to the program that started it. It is no setting: a file must not say it."""


def serve(flags: Mapping[str, Flag] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Serve until a signal says stop; the exit code.

    ``flags`` are by field name of :class:`~piproxy.settings.Settings`. Raises
    :class:`~piproxy.errors.ConfigError` when a start makes no sense: the message says what to do.
    """
    flags, environ = dict(flags or {}), dict(os.environ if environ is None else environ)
    allow_open_files()
    effective = load(environ, agent_directory(environ, Path.home()).proxy_config, flags)
    if effective.for_start().workers > 1:
        return run(partial(with_workers, effective, flags, environ))
    return run(partial(main, flags, environ))


def run(serving: Callable[[], Awaitable[int]]) -> int:
    """In a trio run of its own. Raises :class:`~piproxy.errors.ConfigError` as it is."""
    try:
        return trio.run(serving)
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
    worker: Worker | None = None,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Serve in this trio run, alone or as one of several; ``started(addresses)`` when clients can connect."""
    directory = agent_directory(environ, Path.home())
    terminal = Terminal()
    with trio.open_signal_receiver(*_SIGNALS) as signals, ExitStack() as stack:
        async with engine_for(flags, environ, None if worker is None else worker.flaws) as engine:
            stack.enter_context(engine.log.listening())
            settings = engine.settings
            if worker is not None:
                engine.tally = worker.tally
            exposure = await engine.exposure()
            secure = certificate(settings, directory.root)
            tls = None if secure is None else server_context(secure.certfile, secure.keyfile)
            sockets = stack.enter_context(listening(settings)) if worker is None else worker.sockets
            addresses = [shown(sock, tls is not None) for sock in sockets]
            exposed = beyond_loopback(Address(*sock.getsockname()[:2]) for sock in sockets if sock.family != _UNIX)
            server = Server(
                create_app(engine),
                [ClientListener(trio.socket.from_stdlib_socket(sock), stall=_stall(settings)) for sock in sockets],
                config=protocol_config(idle_connection=settings.idle_connection_sec),
                drain=lambda: engine.settings.drain_sec,
                cut=lambda: engine.exchange.end_all(ShuttingDown("piproxy is stopping; ask again in a moment.")),
                failed=engine.log.bug,
                full=partial(engine.log.event, "no file descriptors are left: new clients wait", limit=open_files()),
                stall=_stall(settings),
                tls=tls,
            )
            if worker is None:
                stack.enter_context(_noted(directory.proxy_pid, addresses))
            if worker is None or worker.first:
                _greet(engine, exposure, addresses, exposed, secure)
            signalled = False
            async with trio.open_nursery() as nursery:

                def stop(**why: str) -> None:
                    if not server.stopping:
                        engine.log.event("stopping", **why)
                        server.stop()
                        nursery.start_soon(_leave_when_done, server, nursery.cancel_scope)

                await nursery.start(server.run)
                task_status.started(addresses)
                if worker is not None:
                    worker.ready()
                if flags.get(STOP_WITH_STDIN):
                    nursery.start_soon(_stop_with_stdin, stop)
                async for number in signals:
                    if number == getattr(signal, "SIGHUP", None):
                        if worker is None and terminal.closed:
                            stop(reason=_CLOSED)
                        else:
                            _reload(engine, exposed, secure, tls)
                    elif signalled and worker is None:
                        server.kill()
                        nursery.cancel_scope.cancel()
                        return 128 + number
                    else:
                        # To a worker, the supervisor and who else signals to all processes of a service say the same;
                        # one that has to end at once is killed.
                        signalled = True
                        stop(signal=signal.Signals(number).name)
    return 0


async def with_workers(effective: Effective, flags: Mapping[str, Flag], environ: Mapping[str, str]) -> int:
    """Serve in several processes that share the sockets; this one only looks after them."""
    settings = effective.settings
    directory = agent_directory(environ, Path.home())
    log = Log(settings.log_format)
    secure = certificate(settings, directory.root)  # made once, before the workers look for it
    own = {name: value for name, value in flags.items() if name != STOP_WITH_STDIN}
    with trio.open_signal_receiver(*_SIGNALS) as signals, listening(settings) as sockets, ExitStack() as stack:
        stack.enter_context(_noted(directory.proxy_pid, [shown(sock, secure is not None) for sock in sockets]))
        # The file may say something else, or nothing, when a worker is started again: it is told what is listened on.
        own["bind"] = tuple(map(str, settings.addresses))
        sums = stack.enter_context(TemporaryFile())
        async with trio.open_nursery() as nursery:
            start = Starter(sockets, sums.fileno(), settings.workers, own, environ, effective.flaws)
            supervisor = Supervisor(start, log.event, partial(_close, sockets))
            if flags.get(STOP_WITH_STDIN):
                nursery.start_soon(_stop_with_stdin, supervisor.stop)
            code = await supervisor.run(settings.workers, _heard(signals, supervisor, Terminal()))
            nursery.cancel_scope.cancel()
    return code


def _greet(
    engine: Engine,
    exposure: Exposure,
    addresses: Sequence[str],
    exposed: Sequence[Address],
    secure: Certificate | None,
) -> None:
    """``exposed``: the addresses that other machines may reach."""
    for warning in (*engine.warnings, *_open(engine, exposed)):
        engine.log.event("warning", what=warning)
    count = len(exposure.models)
    for where in addresses:
        say(f"piproxy {__version__} listens on {where}/v1 and exposes {count} model{'' if count == 1 else 's'}.")
    if exposure.why_empty:
        say(exposure.why_empty)
    if secure is not None and secure.advice:
        say(secure.advice)


def _open(engine: Engine, exposed: Sequence[Address]) -> list[str]:
    return [open_warning(exposed)] if exposed and not engine.settings.auth_token else []


@contextmanager
def _noted(path: Path, addresses: Sequence[str]) -> Iterator[None]:
    """``proxy.pid`` is there as long as this runs."""
    write_run_file(path, addresses)
    try:
        yield
    finally:
        remove_run_file(path, os.getpid())


async def _heard(signals: AsyncIterator[int], supervisor: Supervisor, terminal: Terminal) -> AsyncIterator[int]:
    async for number in signals:
        if number == getattr(signal, "SIGHUP", None) and terminal.closed:
            supervisor.stop(reason=_CLOSED)
        else:
            yield number


def _close(sockets: Sequence[socket.socket]) -> None:
    """Nobody new is let in, also while workers still drain: a client should hear that at once."""
    for sock in sockets:
        sock.close()


async def _stop_with_stdin(stop: Callable[..., None]) -> None:
    """Stop when standard input ends: whoever started this proxy has gone, however it ended.

    It is no signal: who goes may have sent one, and running answers have their time all the same.
    """
    # A thread that is left behind in a read ends with the process.
    await trio.to_thread.run_sync(_read_to_the_end, abandon_on_cancel=True)
    stop(reason="standard input has ended")


def _read_to_the_end() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass


@asynccontextmanager
async def engine_for(
    flags: Mapping[str, Flag], environ: Mapping[str, str], flaws: Collection[str] | None = None
) -> AsyncIterator[Engine]:
    """The engine of one run, its network open; ``flaws``: of :class:`~piproxy.server.live.LiveSettings`."""
    directory = agent_directory(environ, Path.home())
    live = LiveSettings(environ, directory.proxy_config, flags, flaws)
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


def _stall(settings: Settings) -> float:
    """Seconds that a client may take nothing."""
    return settings.client_stall_timeout_sec or inf


def say(text: str) -> None:
    """To whoever started the proxy."""
    write_line(sys.stdout, text)


async def _leave_when_done(server: Server, scope: trio.CancelScope) -> None:
    await server.done.wait()
    scope.cancel()


def _reload(engine: Engine, exposed: Sequence[Address], secure: Certificate | None, tls: ssl.SSLContext | None) -> None:
    before = _open(engine, exposed)
    try:
        engine.reload()
        for warning in _open(engine, exposed):
            if warning not in before:
                engine.log.event("warning", what=warning)
        if secure is not None and tls is not None:
            load_certificate(tls, secure.certfile, secure.keyfile)
    except ConfigError as error:
        engine.log.event("the settings were not changed", reason=error.message)
