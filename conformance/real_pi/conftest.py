"""pi's published packages, installed once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.real_pi import packages


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are; kept between runs when the environment names it."""
    named = os.environ.get("PIPROXY_REAL_PI_DIR")
    path = Path(named) if named else tmp_path_factory.mktemp("real-pi")
    packages.install(path)
    return path


@pytest.fixture(scope="session")
def node(directory: Path) -> str:
    """A Node that pi runs on."""
    return packages.node(directory)


@pytest.fixture(scope="session")
def storage_of(directory: Path) -> Callable[[str], Path]:
    """pi's own storage module, by version."""
    return lambda version: packages.module(directory, packages.PACKAGE, version) / "dist/core/auth-storage.js"


@pytest.fixture(scope="session")
def oauth_of(directory: Path) -> Callable[[str], Path]:
    """pi's own loader of logins, by version."""
    return lambda version: packages.module(directory, packages.LIBRARY, version) / "dist/auth/oauth/load.js"


@pytest.fixture(scope="session")
def package_of(directory: Path) -> Callable[[str], Path]:
    """pi's package, by version; its bundle runs without any other."""
    return lambda version: packages.module(directory, packages.PACKAGE, version)
