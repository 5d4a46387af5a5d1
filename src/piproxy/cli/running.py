"""The proxy that runs, if one does: what proxy.pid says, believed only after the proxy itself was asked."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from piproxy.cli.surroundings import Surroundings
from piproxy.jsontext import Json
from piproxy.server.runfile import read_run_file
from piproxy.settings import Settings

_PATIENCE: Final = 5.0
"""Seconds to wait for whoever listens there."""
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (names of addresses)


@dataclass(frozen=True, slots=True)
class Running:
    """What was found. ``url`` ends before ``/v1``; where nothing runs it is where a proxy would listen."""

    url: str
    pid: int | None = None
    """Of a piproxy that runs; None where nothing runs, or something else."""
    status: Mapping[str, Json] = field(default_factory=dict)
    """What ``GET /status`` said; empty when the proxy did not let us ask."""
    other: str = ""
    """What else is there, in words."""
    silent: bool = False
    """It takes connections and does not answer."""

    @property
    def is_piproxy(self) -> bool:
        return self.pid is not None


def running(around: Surroundings) -> Running:
    """Look where proxy.pid says, then where the settings say."""
    settings = around.effective.settings
    configured = _configured(settings)
    noted = read_run_file(around.directory.proxy_pid)
    noted_url = _reachable(noted.url) if noted is not None and noted.url else ""
    for url in dict.fromkeys(filter(None, (noted_url, configured))):
        found = _ask(url, settings.auth_token)
        if found.is_piproxy and noted is not None and url == noted_url and looks_like_piproxy(noted.pid):
            # With several workers one of them answers; the process that looks after them is the proxy.
            return replace(found, pid=noted.pid)
        if found.is_piproxy:
            return found
        if found.other and noted is not None and url == noted_url and looks_like_piproxy(noted.pid):
            # It listens, but wants another token than ours, or does not answer.
            return replace(found, pid=noted.pid)
        if found.other and url == configured:
            return found
    return Running(configured)


def local_url(host: str, port: int) -> str:
    """Where a proxy with this bind is reached from this machine."""
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def looks_like_piproxy(pid: int) -> bool:
    """Whether the process with this id is one of ours: ids are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except FileNotFoundError:
        if Path("/proc/self/cmdline").exists() or os.name != "posix":
            return False
        done = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        words = done.stdout
    except OSError:
        return False
    return "piproxy" in words


def _configured(settings: Settings) -> str:
    """Where a proxy with these settings is reached; the first of its addresses."""
    scheme = "https" if settings.certfile or settings.tls_self_signed else "http"
    if not settings.addresses:
        return f"{scheme}+unix:{Path(settings.unix).expanduser()}"
    address = settings.addresses[0]
    return local_url(address.host, address.port).replace("http", scheme, 1)


def _reachable(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme.endswith("+unix"):
            return url
        return local_url(parts.hostname or "", parts.port or 80).replace("http", parts.scheme, 1)
    except ValueError:
        return ""


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme.endswith("+unix"):
        return _UnixConnection(parts.path)
    if parts.scheme == "https":
        # The certificate may be our own, and is for the clients; this is a question on this machine.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        return HTTPSConnection(parts.hostname or "", parts.port, timeout=_PATIENCE, context=context)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)


def _ask(url: str, token: str) -> Running:
    connection = _connection(url)
    try:
        connection.request("GET", "/status", headers={"authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        body = answer.read(1024 * 1024)
    except TimeoutError:
        return Running(url, other=f"something at {url} takes connections and does not answer", silent=True)
    except HTTPException:
        return Running(url, other=f"something at {url} does not speak HTTP")
    except OSError:
        return Running(url)
    finally:
        connection.close()
    if answer.status == 401:
        return Running(url, other=f"a server at {url} wants another token than the one in the settings")
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if answer.status != 200 or not isinstance(said, dict) or said.get("name") != "piproxy":
        return Running(url, other=f"another server than piproxy is at {url}")
    pid = said.get("pid")
    return Running(url, pid=pid if isinstance(pid, int) else 0, status=said)
