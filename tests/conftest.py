"""What is true of every test."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from fakes.secrets import overhearing
from hypothesis import settings

if "PIPROXY_FUZZ" not in os.environ:
    settings.load_profile("ci")  # the same examples each time, and none is too slow on a busy machine


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
