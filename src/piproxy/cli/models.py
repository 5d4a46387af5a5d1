"""``piproxy models``: what clients see, and what they do not see and why."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from piproxy.cli.surroundings import Surroundings, surroundings
from piproxy.cli.table import table
from piproxy.jsontext import Json
from piproxy.model import Model


@click.command(short_help="List the models that clients see.")
@click.option("--all", "everything", is_flag=True, help="Also those that clients do not see, and why not.")
@click.option("--demo/--no-demo", default=None, help="With or without the demo provider.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def models(everything: bool, demo: bool | None, as_json: bool) -> None:
    """List the models that clients see: the id for requests, pi's own id, what the model can do.

    \b
    Example:
      piproxy models --all --json
    """
    around = surroundings(demo=demo)
    for problem in (*around.effective.warnings, *around.view.problems, *around.exposure.warnings):
        click.echo(problem, err=True)
    rows = list(_exposed(around))
    if everything:
        rows += _hidden(around)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        head = ("ID", "MODEL", "API", "CONTEXT", "OUTPUT", "TAKES", "THINKS", *(["NOT SEEN BECAUSE"] * everything))
        click.echo(table(head, (_cells(row, everything) for row in rows)))
    if around.exposure.why_empty:
        click.echo(around.exposure.why_empty, err=True)


def _exposed(around: Surroundings) -> Iterator[dict[str, Json]]:
    for public, model in around.exposure.by_public_id.items():
        yield {"id": public, **_described(model), "hidden": None}


def _hidden(around: Surroundings) -> Iterator[dict[str, Json]]:
    mode = around.effective.settings.model_exposure_mode
    for model in around.view.models:
        if not around.exposure.exposes(model):
            why = around.view.why_not(model) or f"not chosen by modelExposureMode {mode}"
            yield {"id": None, **_described(model), "hidden": why}
    for other in around.view.hidden:
        yield {"id": None, "model": other.canonical_id, "provider": other.provider, "hidden": other.why}


def _described(model: Model) -> dict[str, Json]:
    return {
        "model": model.canonical_id,
        "provider": model.provider,
        "name": model.name or model.id,
        "api": model.api,
        "contextWindow": model.context_window,
        "maxTokens": model.max_tokens,
        "input": list(model.input),
        "reasoning": model.reasoning,
        "cost": {
            "input": model.cost.input,
            "output": model.cost.output,
            "cacheRead": model.cost.cache_read,
            "cacheWrite": model.cost.cache_write,
        },
    }


def _cells(row: dict[str, Json], everything: bool) -> list[str]:
    known = "api" in row
    cells = [
        row["id"] or "-",
        row["model"],
        row["api"] if known else "-",
        str(row["contextWindow"]) if known else "-",
        str(row["maxTokens"]) if known else "-",
        ", ".join(row["input"]) if known else "-",
        ("yes" if row["reasoning"] else "no") if known else "-",
    ]
    return [*cells, row["hidden"] or ""] if everything else cells
