"""Writes the tables that the documents have from the code: run it when the catalog, a field or a setting changed.

    python scripts/make_tables.py            # write them
    python scripts/make_tables.py --check    # exit 1 if one is out of date

Each stands between two comments, ``<!-- name … -->`` and ``<!-- /name -->``. It needs piproxy to be importable.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from piproxy.model import Model
from piproxy.openai import fields
from piproxy.pi.catalog import snapshot
from piproxy.pi.environment import KEY_VARIABLES, OAUTH
from piproxy.settings import describe

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "amazon-bedrock": "AWS profiles, roles and keys",
    "google-vertex": "Google's default credentials",
}
"""What authenticates a provider beside a key of its own or a login."""


def providers() -> str:
    """One line per provider of the shipped catalog: its APIs, its credential, what its models can hold at most."""
    lines = ["| provider | api | credential | models | context | output |", "|---|---|---|---|---|---|"]
    catalog = snapshot().models
    for name in sorted({*catalog, *KEY_VARIABLES}):
        models = catalog.get(name, ())
        apis = ", ".join(dict.fromkeys(f"`{model.api}`" for model in models)) or "none"
        lines.append(
            f"| `{name}` | {apis} | {_credential(name)} | {len(models) or 'none that chats'} "
            f"| {_most(models, lambda model: model.context_window)} | {_most(models, lambda model: model.max_tokens)} |"
        )
    return "\n".join(lines) + "\n"


def _credential(provider: str) -> str:
    ways = [f"`{variable}`" for variable in KEY_VARIABLES.get(provider, ())]
    if provider in OAUTH:
        ways.append("login in pi")
    if provider in ELSEWHERE:
        ways.append(ELSEWHERE[provider])
    return ", ".join(ways)


def _most(models: tuple[Model, ...], limit: Callable[[Model], int]) -> str:
    """``128k to 1,000k``: tokens, the least and the most of the provider's models."""
    found = sorted({limit(model) for model in models if limit(model) > 0})
    return " to ".join(dict.fromkeys(f"{round(number / 1000):,}k" for number in (found[:1] + found[-1:]))) or "none"


TABLES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "providers": ("README.md", providers),
    "settings": ("README.md", lambda: describe.table() + "\n"),
    "fields": ("docs/fields.md", fields.markdown),
}
"""Name -> the file, and what makes it."""


def written(text: str, name: str, table: str) -> str:
    """``text`` with ``table`` between the comments of that name; ``LookupError`` if they are not there."""
    place = re.compile(rf"(<!-- {name}\b[^>]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not place.search(text):
        raise LookupError(f"there is no place for the table '{name}'")
    return place.sub(lambda found: f"{found[1]}{table}{found[2]}", text, count=1)


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    old = []
    for name, (file, make) in TABLES.items():
        path = options.root / file
        before = path.read_text(encoding="utf-8")
        after = written(before, name, make())
        if after != before:
            old.append(f"{file}: {name}")
            if not options.check:
                path.write_text(after, encoding="utf-8")
    sys.stdout.write("".join(f"{'out of date' if options.check else 'written'}: {name}\n" for name in old))
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
