"""``piproxy serve``: its options are the settings."""

from __future__ import annotations

import gc
import sys
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from piproxy.settings import SCHEMA, Setting
from piproxy.settings.describe import help_text

_GARBAGE: Final = (5_000, 5, 5)
"""Python's collector would run at every 700 new objects; one request makes a few thousand, some dozens in circles. All
generations are looked at every 125,000: what a thousand streams leave behind must not wait for the next thousand."""


_FILES: Final = frozenset(("certfile", "keyfile", "unix"))


def options() -> list[click.Option]:
    """One option per setting that has a flag."""
    return [_option(setting) for setting in SCHEMA if setting.flag]


def _option(setting: Setting) -> click.Option:
    help = help_text(setting)  # noqa: A001  (click's word)
    match setting.kind:
        case "boolean":
            return click.Option(
                [f"{setting.option}/--no-{setting.option[2:]}", setting.field], default=None, is_flag=True, help=help
            )
        case "strings":
            return click.Option([setting.option, setting.field], multiple=True, metavar="NAME", help=help)
        case "addresses":
            return click.Option([setting.option, setting.field], multiple=True, metavar="HOST:PORT", help=help)
        case "map":
            return click.Option([setting.option, setting.field], metavar="NAME=TEXT,…", help=help)
        case "choice":
            return click.Option([setting.option, setting.field], type=click.Choice(setting.choices), help=help)
        case _:
            metavar = "NUMBER" if setting.kind in ("integer", "number") else "TEXT"
            files = _complete_file if setting.key in _FILES else None
            return click.Option([setting.option, setting.field], metavar=metavar, help=help, shell_complete=files)


def _complete_file(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _serve(**flags: Any) -> None:
    # The server's own imports take a while; whoever only asks for help does not wait for them. They leave nothing to
    # collect, and what they made stays: the collector need not look at it, now or ever.
    gc.disable()
    from piproxy.server.lifecycle import serve as run  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    gc.enable()

    sys.exit(run(flags))


serve = click.Command(
    "serve",
    params=[
        *options(),
        click.Option(
            ["--stop-with-stdin"],
            is_flag=True,
            default=None,
            help="Stop when standard input ends: the proxy does not outlive the program that started it.",
        ),
    ],
    callback=_serve,
    short_help="Serve until stopped (the default).",
    help="""Serve until stopped. Settings come from these options, then PI_PROXY_* variables, then proxy-config.json.

    \b
    Example:
      piproxy serve --port 8080 --model-exposure-mode scoped --scoped-providers anthropic
    """,
)
