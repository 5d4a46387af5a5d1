"""A word for who mistyped: what there is that looks like it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click


def similar(word: str, known: Iterable[str]) -> list[str]:
    """The most similar first, whatever the case of their letters; often nothing."""
    by_letters = {name.lower(): name for name in known}
    return [by_letters[match] for match in get_close_matches(word.lower(), by_letters, n=3)]


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
