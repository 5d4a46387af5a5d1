"""``piproxy completion``: what a shell needs to complete our commands."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_PIPROXY_COMPLETE"
"""The variable by which the shell's function asks; click's rule for a program of this name."""


@click.command(short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      echo 'eval "$(piproxy completion bash)"' >> ~/.bashrc
      echo 'eval "$(piproxy completion zsh)"' >> ~/.zshrc
      piproxy completion fish > ~/.config/fish/completions/piproxy.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell}: no such shell")
    # click's own source() would start bash to learn its version.
    script = kind(ctx.find_root().command, {}, "piproxy", VARIABLE)
    click.echo(script.source_template % script.source_vars())
