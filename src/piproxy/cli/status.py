"""``piproxy status``: is one running, where, since when, what it served."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import click

from piproxy.cli.running import Running, running
from piproxy.cli.surroundings import surroundings
from piproxy.jsontext import Json

NOT_RUNNING: Final = 3
"""The exit code, as ``systemctl status`` has it."""


@click.command(short_help="Say whether a piproxy runs, where, and what it served.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Say whether a piproxy runs, where, since when, and what it served.

    It is looked for where proxy.pid in pi's directory says, then at the address in the settings. The exit code is 0 if
    one runs, 1 if it does not answer, and 3 if none runs.

    \b
    Example:
      piproxy status --json
    """
    found = running(surroundings())
    if as_json:
        click.echo(json.dumps(described(found), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(found)))
    sys.exit(int(found.silent) if found.is_piproxy else NOT_RUNNING)


def described(found: Running) -> dict[str, Json]:
    """For programs; what is unknown is null."""
    said = found.status
    return {
        "running": found.is_piproxy,
        "url": f"{found.url}/v1",
        "pid": found.pid,
        "other": found.other or None,
        **{name: said.get(name) for name in ("version", "started", "models", "requests", "failed", "client_left")},
        **{name: said.get(name) for name in ("prompt_tokens", "completion_tokens", "cost", "last_request", "workers")},
    }


def _lines(found: Running) -> list[str]:
    if not found.is_piproxy:
        return [f"not running: {found.other}" if found.other else f"not running: nobody listens at {found.url}"]
    if not found.status:
        return [f"piproxy runs at {found.url}/v1, process {found.pid}", found.other]
    said = found.status
    began = float(said["started"])
    when = datetime.fromtimestamp(began).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return [
        f"piproxy {said['version']} runs at {found.url}/v1, process {found.pid}" + _workers(said.get("workers")),
        f"since {when} ({_duration(time.time() - began)})",
        f"{_counted(said['models'], 'model')} exposed",
        _served(said),
    ]


def _served(said: Mapping[str, Json]) -> str:
    if not said["requests"]:
        return "no requests yet"
    troubles = [
        f"{said[name]} {words}" for name, words in (("failed", "failed"), ("client_left", "left")) if said[name]
    ]
    tokens = f"{_counted(said['prompt_tokens'], 'token')} read, {said['completion_tokens']} written"
    requests = _counted(said["requests"], "request") + (f" ({', '.join(troubles)})" if troubles else "")
    return f"{requests}, {tokens}, ${said['cost']:.4f}"


def _workers(count: Json) -> str:
    return f" with {count} workers" if isinstance(count, int) and count > 1 else ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return _counted(int(seconds / length), unit)
    return _counted(max(int(seconds), 0), "second")
