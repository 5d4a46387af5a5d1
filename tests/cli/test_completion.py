"""``piproxy completion``: the scripts, and what they are answered."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from fakes.command import Home

from piproxy.cli.main import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(home: Home, shell: str) -> None:
    """The script asks piproxy itself, and its shell, if it is here, can read it."""
    done = home.piproxy("completion", shell)
    assert done.returncode == 0
    assert f"_PIPROXY_COMPLETE={shell}_complete" in done.stdout
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=done.stdout, text=True, timeout=60, check=True)


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("piproxy ", 1, set(COMMANDS)),
        ("piproxy con", 1, {"config", "connect"}),
        ("piproxy connect z", 2, {"zed"}),
        ("piproxy config un", 2, {"unset"}),
        ("piproxy config get stri", 3, {"strictness"}),
        ("piproxy serve --strictness w", 3, {"warn"}),
        ("piproxy config set strictness p", 4, {"pass"}),
        ("piproxy config set demo t", 4, {"true"}),
        ("piproxy serve --certfile /etc/h", 3, {"/etc/h"}),
    ],
)
def test_answers(home: Home, words: str, at: int, expected: set[str]) -> None:
    """Commands, clients, settings and choices are completed."""
    home.environ |= {"_PIPROXY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = home.piproxy()
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected
