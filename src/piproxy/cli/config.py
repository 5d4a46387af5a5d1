"""``piproxy config``: the settings, where each comes from, and proxy-config.json."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import click

from piproxy.cli.edit import edit
from piproxy.cli.entries import MASK, entries
from piproxy.cli.similar import Group
from piproxy.cli.surroundings import Surroundings, only_file, surroundings
from piproxy.cli.table import table
from piproxy.cli.write import known, write
from piproxy.jsontext import Json
from piproxy.settings import BY_KEY, SCHEMA, Setting, Value, save
from piproxy.settings.describe import json_schema, shown
from piproxy.settings.describe import table as settings_table

_STDIN: Final = "-"


def _complete_key(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [key for key in BY_KEY if key.startswith(incomplete)]


def _complete_value(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    setting = BY_KEY.get(ctx.params.get("key") or "")
    choices = () if setting is None else ("true", "false") if setting.kind == "boolean" else setting.choices
    return [choice for choice in choices if choice.startswith(incomplete)]


@click.group(cls=Group, short_help="Show and change the settings.")
def config() -> None:
    """Show and change the settings.

    They come from options of `piproxy serve`, then from PI_PROXY_* variables, then from proxy-config.json in pi's
    directory, then from the defaults.

    \b
    Example:
      piproxy config set port 8080
      piproxy config show
    """


config.add_command(edit)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(as_json: bool) -> None:
    """Show every setting and where it comes from; secrets are masked.

    \b
    Example:
      PI_PROXY_PORT=8080 piproxy config show
    """
    around = surroundings()
    effective = around.effective
    for warning in effective.warnings:
        click.echo(warning, err=True)
    if as_json:
        rows = {
            setting.key: {"value": _plain(_masked(setting, around)), "source": effective.sources[setting.key]}
            for setting in SCHEMA
        }
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = ((s.key, f"{shown(_masked(s, around))}{_unit(s, around)}", effective.sources[s.key]) for s in SCHEMA)
    click.echo(table(("SETTING", "VALUE", "FROM"), cells))


@config.command()
def path() -> None:
    """Print where proxy-config.json is, whether it exists or not.

    \b
    Example:
      cat "$(piproxy config path)"
    """
    click.echo(surroundings().directory.proxy_config)


@config.command()
@click.argument("key", shell_complete=_complete_key)
@click.option("--reveal", is_flag=True, help="Print a secret as it is.")
@click.option("--json", "as_json", is_flag=True, help="For programs: text as JSON, too.")
def get(key: str, reveal: bool, as_json: bool) -> None:
    """Print one setting's value; lists and objects as JSON.

    \b
    Example:
      piproxy config get modelExposureMode
    """
    setting = known(key)
    around = surroundings()
    for warning in around.effective.warnings:
        click.echo(warning, err=True)
    value = _plain(around.effective.values[key] if reveal else _masked(setting, around))
    click.echo(value if isinstance(value, str) and not as_json else json.dumps(value, ensure_ascii=False))


@config.command(name="set")
@click.argument("key", shell_complete=_complete_key)
@click.argument("value", shell_complete=_complete_value)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def set_(key: str, value: str, as_json: bool) -> None:
    """Write one setting to proxy-config.json. Lists are separated by commas, objects are written name=value.

    The value - is read from standard input, so that a token is not seen in the list of processes.

    \b
    Example:
      piproxy config set scopedProviders anthropic,openai
      openssl rand -hex 16 | piproxy config set authToken -
    """
    setting = known(key)
    around = surroundings()
    text = sys.stdin.read().strip() if value == _STDIN else value
    write(around, key, text)
    if as_json:
        entry = next(entry for entry in entries(surroundings()) if entry.key == key)
        click.echo(json.dumps(asdict(entry), indent=2, ensure_ascii=False))
    else:
        _tell(setting, around)


@config.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True, shell_complete=_complete_key)
def unset(keys: tuple[str, ...]) -> None:
    """Remove settings from proxy-config.json: the defaults apply again.

    \b
    Example:
      piproxy config unset port host
    """
    settings = [known(key) for key in keys]
    around = surroundings()
    save(around.directory.proxy_config, {}, remove=keys)
    for setting in settings:
        _tell(setting, around)


@config.command()
def reset() -> None:
    """Remove every setting of piproxy from proxy-config.json; unknown keys stay.

    \b
    Example:
      piproxy config reset
    """
    around = surroundings()
    save(around.directory.proxy_config, {}, remove=tuple(BY_KEY))
    click.echo(f"{around.directory.proxy_config}: the defaults apply again, from the next start on")


@config.command()
@click.option("--markdown", is_flag=True, help="A table for people instead.")
def schema(markdown: bool) -> None:
    """Print the JSON Schema of proxy-config.json.

    \b
    Example:
      piproxy config schema > proxy-config.schema.json
    """
    click.echo(settings_table() if markdown else json.dumps(json_schema(), indent=2, ensure_ascii=False))


@config.command(name="entries")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def entries_(as_json: bool) -> None:
    """Print what a settings panel shows: words, choices, and what could be chosen from now.

    \b
    Example:
      piproxy config entries --json
    """
    around = surroundings()
    found = entries(around)
    for warning in around.effective.warnings:
        click.echo(warning, err=True)
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in found], indent=2, ensure_ascii=False))
    else:
        click.echo(table(("SETTING", "VALUE", "KEY"), ((entry.label, entry.shown, entry.key) for entry in found)))


def _masked(setting: Setting, around: Surroundings) -> Value:
    value = around.effective.values[setting.key]
    return MASK if setting.secret and value else value


def _unit(setting: Setting, around: Surroundings) -> str:
    value = around.effective.values[setting.key]
    return f" {setting.unit}" if setting.unit and isinstance(value, int | float) else ""


def _plain(value: Value) -> Json:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _tell(setting: Setting, around: Surroundings) -> None:
    """What the file says now, what overrides it, and when it counts."""
    now = only_file(around).effective
    value = now.values[setting.key]
    click.echo(f"{setting.key} = {MASK if setting.secret and value else shown(value)}")
    overriding = surroundings().effective.sources[setting.key]
    if overriding not in ("default", str(around.directory.proxy_config)):
        click.echo(f"{overriding} is set and wins over the file", err=True)
    if setting.restart:
        click.echo("from the next start on", err=True)
