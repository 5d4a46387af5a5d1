"""The command line. A command is imported when it is called, so that ``piproxy --help`` costs next to nothing.

Exit codes: 0 all is well; 1 something is broken or could not be done; 2 wrong usage or settings, a file that cannot be
written, a service manager that refuses, with a message that says what to do; 3 nothing runs (``status``, ``stop``);
128 + n ended by the second signal n.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from piproxy import __version__
from piproxy.cli.similar import Group
from piproxy.errors import ConfigError

COMMANDS: Final = {
    "serve": "piproxy.cli.serve:serve",
    "models": "piproxy.cli.models:models",
    "config": "piproxy.cli.config:config",
    "doctor": "piproxy.cli.doctor:doctor",
    "connect": "piproxy.cli.connect.command:connect",
    "pi": "piproxy.cli.pi:pi",
    "service": "piproxy.cli.service:service",
    "completion": "piproxy.cli.completion:completion",
    "status": "piproxy.cli.status:status",
    "stop": "piproxy.cli.stop:stop",
}
"""Name -> where the command is, in the order of the help."""
SUMMARIES: Final = {
    "serve": "Serve until stopped (the default).",
    "models": "List the models that clients see.",
    "config": "Show and change the settings.",
    "doctor": "Check files, logins, models and the port.",
    "connect": "Print or write the settings of another program.",
    "pi": "Put the /proxy commands into pi, or take them out.",
    "service": "Let the system start piproxy.",
    "completion": "Print a shell's completion script.",
    "status": "Say whether a piproxy runs, where, and what it served.",
    "stop": "Stop the piproxy that runs.",
}
"""What the commands say of themselves, so that the help need not import them."""

_OWN_OPTIONS: Final = frozenset(("--help", "-h", "--version"))


class Unusable(click.ClickException):
    """Settings with which there is nothing to do."""

    exit_code = 2

    def show(self, file: Any = None) -> None:  # noqa: ARG002  (click's signature)
        click.echo(f"piproxy: {self.format_message()}", err=True)


class Commands(Group):
    """A group whose commands are imported late; without one of them ``serve`` is meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A shell that completes wants to know the commands.
        implied = not args or (args[0].startswith("-") and args[0] not in _OWN_OPTIONS)
        if implied and not ctx.resilient_parsing:
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            _settle_home()
            return super().invoke(ctx)
        except ConfigError as error:
            raise Unusable(error.message) from error


def _settle_home() -> None:
    """A user without a home, as in some containers, has the root for one, if pi's directory is named.

    Raises :class:`~piproxy.errors.ConfigError` if it is not.
    """
    try:
        Path.home()
    except RuntimeError as error:
        if not os.environ.get("PI_CODING_AGENT_DIR"):
            raise ConfigError("This user has no home directory: set HOME, or PI_CODING_AGENT_DIR.") from error
        os.environ["HOME"] = "/"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="piproxy", message="%(prog)s %(version)s")
def cli() -> None:
    """An OpenAI-compatible gateway to every model that the pi coding agent can reach.

    Without a command it serves; the options of `piproxy serve` may follow directly.

    \b
    Example:
      piproxy --demo
      curl http://127.0.0.1:4141/v1/models
    """


def main() -> None:
    """The console script."""
    cli(prog_name="piproxy")
