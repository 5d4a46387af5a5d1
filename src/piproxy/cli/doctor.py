"""``piproxy doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Final

import click

from piproxy.cli.checks import findings
from piproxy.cli.finding import Finding, Level
from piproxy.cli.surroundings import surroundings

_MARKS: Final[dict[Level, tuple[str, str]]] = {
    "ok": ("ok     ", "green"),
    "note": ("note   ", "cyan"),
    "warning": ("warning", "yellow"),
    "error": ("ERROR  ", "red"),
}


@click.command(short_help="Check files, logins, models and the port.")
@click.option("--demo/--no-demo", default=None, help="With or without the demo provider.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(demo: bool | None, as_json: bool) -> None:
    """Check pi's files and locks, every login, the catalog, the models that clients see, and the port.

    Each finding comes with the next step. Keys and tokens are never printed, nothing is changed, no provider is asked;
    commands that pi's files have in place of keys are run, as for a request.
    The exit code is 1 if there is an error.

    \b
    Example:
      piproxy doctor
    """
    found = list(findings(surroundings(demo=demo)))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            _print(finding)
    sys.exit(any(finding.level == "error" for finding in found))


def _print(finding: Finding) -> None:
    mark, color = _MARKS[finding.level]
    click.echo(f"{click.style(mark, fg=color)}  {finding.what}")
    for line in finding.next_step.splitlines():
        click.echo(f"         {line}")
