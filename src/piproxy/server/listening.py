"""The sockets that a server listens on: TCP addresses and a unix socket."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.settings import Address, Settings

BACKLOG: Final = 4096
"""Connections that may wait to be accepted; the kernel has a limit of its own."""
_PATIENCE: Final = 1.0
"""Seconds that whoever owns a unix socket gets to take a connection."""


@contextmanager
def listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """Listen, and close the sockets in the end; the unix socket's file goes, too.

    Raises :class:`~piproxy.errors.ConfigError` with the next step.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for address in settings.addresses:
            sockets += [stack.enter_context(sock) for sock in _tcp(address)]
        if settings.unix:
            sockets.append(stack.enter_context(_unix(Path(settings.unix).expanduser())))
        yield sockets


def shown(sock: socket.socket, secure: bool) -> str:
    """``http://127.0.0.1:4141``, or ``http+unix:/run/piproxy.sock``."""
    scheme = "https" if secure else "http"
    if sock.family == getattr(socket, "AF_UNIX", None):
        return f"{scheme}+unix:{sock.getsockname()}"
    return f"{scheme}://{Address(*sock.getsockname()[:2])}"


def _tcp(address: Address) -> Sequence[socket.socket]:
    """One socket per address that the name has; with port 0 they share the first one's port."""
    opened: list[socket.socket] = []
    port = address.port
    try:
        for family, kind, protocol, _, where in socket.getaddrinfo(
            address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as exc:
                if exc.errno == errno.EAFNOSUPPORT:  # IPv6 is switched off here
                    continue
                raise
            opened.append(sock)
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((where[0], port, *where[2:]))
            sock.listen(BACKLOG)
            port = sock.getsockname()[1]
        if not opened:
            raise OSError(errno.EADDRNOTAVAIL, "the address is of a kind that this machine does not have")
    except OSError as exc:
        for sock in opened:
            sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"{address} is already in use. Another piproxy, or pi-openai-proxy, may be running; choose another "
                "port with --port."
            ) from exc
        raise ConfigError(f"Cannot listen on {address}: {exc.strerror or exc}.") from exc
    return opened


@contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    """Only this user may connect. The file of a server that is gone is replaced, that of a living one is not."""
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError("There are no unix sockets on this system; use --bind.")
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            _clear(path)
            sock.bind(str(path))
            path.chmod(0o600)  # nobody can connect before it listens
            sock.listen(BACKLOG)
            mine = path.stat().st_ino
        except OSError as exc:
            raise ConfigError(f"Cannot listen on {path}: {exc.strerror or exc}.") from exc
        try:
            yield sock
        finally:
            with suppress(OSError):
                if path.stat().st_ino == mine:
                    path.unlink()


def _clear(path: Path) -> None:
    """Remove what a crashed server left."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"{path} exists and is not a socket; choose another path with --unix.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.settimeout(_PATIENCE)
        try:
            attempt.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass  # a living server that is too busy to take it
    raise ConfigError(f"{path} is already in use: another server listens there. Choose another path with --unix.")
