"""Every recorded case, played into a piproxy in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case import folders, load
from conformance.inside import play
from conformance.verdict import verdict


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_case(folder: Path) -> None:
    """The client gets the same answer, the provider the same request, both at the same moments."""
    case = load(folder)
    wrong = verdict(case, play(case))
    assert not wrong, "\n\n".join(wrong)


def test_there_is_traffic() -> None:
    """An empty folder is no success."""
    assert len(folders()) >= 150
