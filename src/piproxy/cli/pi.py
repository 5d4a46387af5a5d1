"""``piproxy pi``: the /proxy commands in pi."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import click

from piproxy import __version__
from piproxy.cli.similar import Group
from piproxy.cli.surroundings import surroundings
from piproxy.errors import ConfigError

NAME: Final = "piproxy-pi-extension"
"""The name in package.json, by which our own folder is known."""
INSTALLED_BY: Final = "installed-by.json"


@click.group(cls=Group, short_help="Put the /proxy commands into pi, or take them out.")
def pi() -> None:
    """Put the /proxy commands into pi, or take them out.

    \b
    Example:
      piproxy pi install
    """


@pi.command()
def install() -> None:
    """Copy the extension to extensions/piproxy in pi's directory, where pi finds it at its next start or /reload.

    An earlier copy is replaced. Run it again after an update of piproxy.

    \b
    Example:
      piproxy pi install
    """
    target = _target()
    _ours(target)
    new = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        with as_file(files("piproxy") / "pi_extension") as source:
            shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__"))
        note = {"command": [sys.executable, "-m", "piproxy"], "version": __version__}
        (new / INSTALLED_BY).write_text(json.dumps(note, indent="\t") + "\n", encoding="utf-8")
        _remove(target)
        new.replace(target)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    click.echo(f"installed in {target}")
    click.echo("Start pi, or type /reload in a running one; then type /proxy.", err=True)


@pi.command()
def uninstall() -> None:
    """Remove the extension from pi's directory; the settings stay.

    \b
    Example:
      piproxy pi uninstall
    """
    target = _target()
    if not _ours(target):
        click.echo(f"nothing is installed in {target}")
        return
    try:
        _remove(target)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be removed: {error.strerror}") from error
    click.echo(f"removed {target}")


@pi.command()
def path() -> None:
    """Print where the extension is within this installation, for `pi install` or `pi -e`.

    \b
    Example:
      pi -e "$(piproxy pi path)"
    """
    with as_file(files("piproxy") / "pi_extension") as source:
        click.echo(source)


def _target() -> Path:
    return surroundings().directory.root / "extensions" / "piproxy"


def _ours(target: Path) -> bool:
    """Whether our extension is there. Raises :class:`ConfigError` for something else: it is not ours to replace."""
    if not target.exists() and not target.is_symlink():
        return False
    try:
        name = json.loads((target / "package.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, LookupError, TypeError):
        name = None
    if name != NAME:
        raise ConfigError(f"{target} is not piproxy's extension; move it away first.")
    return True


def _remove(target: Path) -> None:
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)
