"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fakes.command import Home

from piproxy import __version__
from piproxy.cli.main import COMMANDS, SUMMARIES, cli


def every(group: click.Group, *words: str) -> Iterator[str]:
    """All commands, as they are typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*words, name))
        if isinstance(command, click.Group):
            yield from every(command, *words, name)


EVERY = tuple(every(cli))


def test_version(home: Home) -> None:
    """``--version`` prints name and version, nothing else."""
    done = home.piproxy("--version")
    assert (done.stdout, done.stderr, done.returncode) == (f"piproxy {__version__}\n", "", 0)


def test_console_script_is_installed(home: Home) -> None:
    """``piproxy`` is a program beside Python."""
    script = Path(sys.executable).with_name("piproxy")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"piproxy {__version__}\n"


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_little(home: Home, option: str) -> None:
    """Neither the server nor the settings are imported for them."""
    code = (
        "import sys\nfrom piproxy.cli.main import cli\n"
        f"try: cli(['{option}'])\nexcept SystemExit: pass\n"
        "print(sorted({'trio', 'quart', 'httpx', 'hypercorn', 'pydantic', 'piproxy.settings'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_says_of_commands_what_they_say_themselves() -> None:
    """The table of the group and the commands agree, in names, order and words."""
    said = {name: command.short_help for name in COMMANDS if (command := cli.get_command(click.Context(cli), name))}
    assert list(said.items()) == list(SUMMARIES.items())


@pytest.mark.parametrize("command", ["", *EVERY])
def test_every_command_has_help_with_an_example(home: Home, command: str) -> None:
    """``--help`` says what a command does and shows it."""
    done = home.piproxy(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: piproxy {command}".rstrip())
    assert "Example:\n" in done.stdout


def test_unknown_command_is_refused(home: Home) -> None:
    """A word that is no command is wrong usage."""
    done = home.piproxy("dance")
    assert done.returncode == 2
    assert "dance" in done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("serv", "serve"), ("config shw", "show"), ("pi instal", "install"), ("config get PORT", "port")],
)
def test_a_mistyped_word_is_guessed(home: Home, typed: str, meant: str) -> None:
    """A command or setting that there is not, but nearly, is named."""
    done = home.piproxy(*typed.split())
    assert done.returncode == 2
    assert f"id you mean {meant}" in done.stderr


def test_a_user_without_a_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no home directory, as for some users in containers, pi's directory is enough; else it is said."""

    def found() -> Path:
        if "HOME" not in os.environ:
            raise RuntimeError("Could not determine home directory.")
        return Path(os.environ["HOME"])

    monkeypatch.setattr(Path, "home", found)
    monkeypatch.setenv("HOME", "")  # put back at the end
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("PI_CODING_AGENT_DIR", raising=False)
    done = CliRunner().invoke(cli, ["config", "get", "port"])
    assert (done.exit_code, "set HOME, or PI_CODING_AGENT_DIR" in done.output) == (2, True)
    monkeypatch.setenv("PI_CODING_AGENT_DIR", str(home.path))
    done = CliRunner().invoke(cli, ["config", "path"])
    assert (done.exit_code, done.output) == (0, f"{home.path / 'proxy-config.json'}\n")


@pytest.mark.parametrize("arguments", [["--port", "eighty"], ["serve", "--port", "99999"], ["--strictness", "some"]])
def test_bad_flags_are_refused(home: Home, arguments: list[str]) -> None:
    """A bad value names its flag; nothing is started and nothing is traced."""
    done = home.piproxy(*arguments)
    assert done.returncode == 2
    assert arguments[-2] in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_variable_is_refused(home: Home) -> None:
    """A bad variable is named, with what is allowed."""
    home.environ["PI_PROXY_PORT"] = "eighty"
    done = home.piproxy()
    assert done.returncode == 2
    assert done.stderr == "piproxy: PI_PROXY_PORT: 'eighty' is not allowed; allowed is 0 to 65535.\n"
