"""Groups of commands with a word for who mistyped one."""

from __future__ import annotations

import click

from piproxy.similar import similar


class Group(click.Group):
    """Commands, of which a similar one is named when there is none of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = similar(args[0], self.list_commands(ctx))
            if near and not args[0].startswith("-"):
                raise click.UsageError(
                    f"No such command '{args[0]}'. Did you mean {' or '.join(near)}?", ctx
                ) from error
            raise
