"""``piproxy stop``: end the proxy that runs."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Final

import click

from piproxy.cli.running import looks_like_piproxy, running
from piproxy.cli.status import NOT_RUNNING
from piproxy.cli.surroundings import surroundings

_LOOK: Final = 0.1
"""Seconds between two looks."""
_LAST_FRAMES: Final = 5.0
"""Seconds that a stop may take after the answers in progress have ended."""


@click.command(short_help="Stop the piproxy that runs.")
@click.option("--now", is_flag=True, help="Do not wait for answers in progress.")
def stop(now: bool) -> None:
    """Stop the piproxy that `piproxy status` finds. Answers in progress may end within the setting drainSec.

    The exit code is 0 when it has stopped, 3 when none runs, 1 when it cannot be stopped.

    \b
    Example:
      piproxy stop
    """
    around = surroundings()
    found = running(around)
    pid = found.pid
    if pid is None:
        click.echo(f"not running{f': {found.other}' if found.other else ''}", err=True)
        sys.exit(NOT_RUNNING)
    if not looks_like_piproxy(pid):
        click.echo(f"piproxy at {found.url} is not a process of this machine; stop it where it runs", err=True)
        sys.exit(1)
    wait = _LAST_FRAMES + (0 if now else around.effective.settings.drain_sec)
    try:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + wait
        while time.monotonic() < until and looks_like_piproxy(pid):
            time.sleep(_LOOK)
            if now:
                os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        click.echo(f"process {pid} belongs to another user", err=True)
        sys.exit(1)
    if looks_like_piproxy(pid):
        click.echo(f"process {pid} is still stopping after {wait:g} s", err=True)
        sys.exit(1)
    click.echo(f"stopped the piproxy at {found.url}, process {pid}")
