"""The documents' tables are what the code makes, and the script that writes them does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.make_tables import providers, written

from piproxy.pi.catalog import snapshot
from piproxy.pi.environment import KEY_VARIABLES

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "scripts" / "make_tables.py")]
    return subprocess.run([*script, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_documents_are_up_to_date() -> None:
    """README.md and docs/fields.md show what is in force; run the script if they do not."""
    done = run("--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_an_old_table_is_found_and_written_anew(tmp_path: Path) -> None:
    """``--check`` only says so."""
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/fields.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    readme = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(readme.replace("| `groq` |", "| `grok` |"))
    assert (run("--check", "--root", str(tmp_path)).returncode, run("--root", str(tmp_path)).returncode) == (1, 0)
    assert (tmp_path / "README.md").read_text() == readme


def test_every_provider_has_a_line() -> None:
    """With its API, its key's variable and what its models can hold."""
    lines = {line.split("`")[1]: line for line in providers().splitlines()[2:]}
    assert set(lines) == {*snapshot().models, *KEY_VARIABLES}
    assert lines["groq"].startswith("| `groq` | `openai-completions` | `GROQ_API_KEY` |")
    assert "login in pi" in lines["openai-codex"]
    for name, models in snapshot().models.items():
        assert all(f"`{model.api}`" in lines[name] for model in models)


def test_a_table_without_a_place_is_an_error() -> None:
    """A document that lost its comments is not passed over."""
    with pytest.raises(LookupError):
        written("text", "providers", "| a |\n")
    assert written("<!-- providers -->\nold\n<!-- /providers -->", "providers", "n\n").splitlines()[1] == "n"
