"""``piproxy service``: a proxy that the system starts, with systemd for the user or with launchd."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from piproxy.cli.connect.target import write
from piproxy.cli.similar import Group
from piproxy.cli.surroundings import Surroundings, only_file, surroundings
from piproxy.errors import ConfigError
from piproxy.pi.directory import VARIABLE

LABEL: Final = "dev.pi.piproxy"
_AFTER_DRAIN: Final = 20
"""Seconds that a stop may take beyond the setting drainSec before the system kills."""
_PASSED_ON: Final = ("PATH", VARIABLE)
"""What the service needs of the environment in which it was installed: pi for its keys' commands, and its directory."""


@dataclass(frozen=True, slots=True)
class Manager:
    """Who starts services here."""

    path: Path
    text: str
    on: tuple[tuple[str, ...], ...]
    """The commands that take the file into use."""
    off: tuple[tuple[str, ...], ...]
    gone: tuple[tuple[str, ...], ...] = ()
    """The commands after the file has been removed."""
    replaces: tuple[str, ...] = ()
    """The command that ends an earlier one, where ``on`` does not; fails where there is none."""


@click.group(cls=Group, short_help="Let the system start piproxy.")
def service() -> None:
    """Let the system start piproxy at login: a systemd user unit on Linux, a launchd agent on macOS.

    \b
    Example:
      piproxy service install
    """


@service.command()
@click.option("--print", "only_print", is_flag=True, help="Print the file and write nothing.")
@click.option("--start/--no-start", default=True, help="Start it now, and at each login.")
def install(only_print: bool, start: bool) -> None:
    """Write the unit or agent, and start it. Settings come from proxy-config.json, not from this shell.

    \b
    Example:
      piproxy service install --print
    """
    around = surroundings()
    manager = _manager(around)
    if only_print:
        click.echo(manager.text, nl=False)
        return
    if start:
        only_file(around).effective.for_start()
    click.echo(write(manager.path, manager.text).told(manager.path))
    if start:
        around.directory.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # launchd wants it for the log
        if manager.replaces:
            subprocess.run(manager.replaces, capture_output=True, check=False)  # noqa: S603
        _run(manager.on, without="--no-start")
        click.echo("started, now and at each login; piproxy status says how it is")


@service.command()
@click.option("--stop/--no-stop", default=True, help="Stop it, too; without, only the file is removed.")
def uninstall(stop: bool) -> None:
    """Stop the service and remove its file.

    \b
    Example:
      piproxy service uninstall
    """
    manager = _manager(surroundings())
    if not manager.path.exists():
        click.echo(f"nothing is installed in {manager.path}")
        return
    if stop:
        _run(manager.off, without="--no-stop")
    manager.path.unlink()
    if stop:
        _run(manager.gone, without="--no-stop")
    click.echo(f"removed {manager.path}")


def _manager(around: Surroundings) -> Manager:
    stop = int(around.effective.settings.drain_sec) + _AFTER_DRAIN
    passed = {name: around.environ[name] for name in _PASSED_ON if around.environ.get(name)}
    if sys.platform == "darwin":
        return launchd(Path.home(), passed, around.directory.root, stop)
    if sys.platform.startswith("linux"):
        return systemd(Path(around.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"), passed, stop)
    raise ConfigError("Services are for systemd and launchd; on this system, start `piproxy` by its own means.")


def systemd(config: Path, environ: dict[str, str], stop: int) -> Manager:
    """A user unit (systemd.service(5)); a reload is SIGHUP, which reads settings and models again.

    ``stop``: seconds that a stop may take.
    """
    path = config / "systemd" / "user" / "piproxy.service"
    variables = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in environ.items())
    text = (
        "[Unit]\n"
        "Description=piproxy, an OpenAI-compatible gateway to pi's models\n\n"
        "[Service]\n"
        "Type=exec\n"
        f"ExecStart={_quoted(sys.executable)} -m piproxy serve\n"
        "ExecReload=/bin/kill -HUP $MAINPID\n"
        f"{variables}"
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "RestartPreventExitStatus=2\n"
        f"TimeoutStopSec={stop}\n"
        "NoNewPrivileges=yes\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )
    user = ("systemctl", "--user")
    return Manager(
        path,
        text,
        on=((*user, "daemon-reload"), (*user, "enable", path.name), (*user, "restart", path.name)),
        off=((*user, "disable", "--now", path.name),),
        gone=((*user, "daemon-reload"),),
    )


def launchd(home: Path, environ: dict[str, str], root: Path, stop: int) -> Manager:
    """An agent (launchd.plist(5)); what it says goes to proxy.log in pi's directory.

    ``stop``: seconds that a stop may take; launchd's own default is 20. A process of no type is throttled.
    """
    path = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    agent = {
        "Label": LABEL,
        "ProgramArguments": [sys.executable, "-m", "piproxy", "serve"],
        "EnvironmentVariables": environ,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": stop,
        "ProcessType": "Interactive",
        "StandardOutPath": str(root / "proxy.log"),
        "StandardErrorPath": str(root / "proxy.log"),
    }
    domain = f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui/501"
    bootout = ("launchctl", "bootout", f"{domain}/{LABEL}")
    return Manager(
        path,
        plistlib.dumps(agent).decode(),
        on=(("launchctl", "bootstrap", domain, str(path)),),
        off=(bootout,),
        replaces=bootout,
    )


def _quoted(text: str) -> str:
    """As systemd reads it; a ``$`` is special neither in variables nor in a program's path."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _run(commands: tuple[tuple[str, ...], ...], *, without: str) -> None:
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        except FileNotFoundError as error:
            raise ConfigError(f"{command[0]} was not found; {without} leaves it alone.") from error
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip()
            raise ConfigError(f"`{' '.join(command)}` failed: {words}; {without} leaves {command[0]} alone.")
