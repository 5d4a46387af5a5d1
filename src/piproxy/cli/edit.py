"""``piproxy config edit``: all settings in one panel."""

from __future__ import annotations

import sys

import click

from piproxy.cli.entries import Entry, entries
from piproxy.cli.panel import Panel
from piproxy.cli.surroundings import surroundings
from piproxy.cli.write import write
from piproxy.errors import ConfigError


@click.command()
def edit() -> None:
    """Show and change all settings in a panel; the same one as /proxy in pi. Each change is saved at once.

    \b
    Example:
      piproxy config edit
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("The panel needs a terminal; piproxy config set changes a setting without one.")
    # Terminals are not needed by anybody else.
    from piproxy.cli.terminal import run  # noqa: PLC0415

    around = surroundings()
    run(Panel(entries(around), save, trouble=" ".join(around.effective.warnings)))


def save(key: str, text: str) -> Entry:
    """Write one setting; the entry as it is then."""
    write(surroundings(), key, text)
    return next(entry for entry in entries(surroundings()) if entry.key == key)
