"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.command import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home; the catalog is the shipped one, whatever is installed here."""
    return Home(tmp_path, {"PI_PROXY_CATALOG": "snapshot"})
