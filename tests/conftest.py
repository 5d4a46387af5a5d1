"""What is true of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.secrets import overhearing


@pytest.fixture(autouse=True)
def nothing_secret_is_said() -> Iterator[None]:
    """Neither the log nor any client of a proxy that a test serves hears a secret that the test used."""
    with overhearing():
        yield
