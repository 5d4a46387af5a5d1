"""What is true of every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from fakes.secrets import overhearing


@pytest.fixture(autouse=True)
def nothing_secret_is_said() -> Iterator[None]:
    """Neither the log nor any client of a proxy that a test serves hears a secret that the test used."""
    with overhearing():
        yield


def pytest_collection_finish() -> None:
    """What is there before the first test stays, and is none of a test's doing: collections, and searches for what a
    test left behind, need not go through the million objects of it."""
    gc.collect()
    gc.freeze()
