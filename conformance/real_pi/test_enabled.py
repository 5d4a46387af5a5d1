"""piproxy reads the patterns of enabledModels as the real pi does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from piproxy.model import Model
from piproxy.pi.catalog import snapshot
from piproxy.pi.enabled import select

BUNDLE = "dist/bundle/index.js"
PATTERNS = 400
SEED = 11
LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max", "none", "free", "1")


def test_every_pattern_names_the_same_models(node: str, package_of: Callable[[str], Path]) -> None:
    """Exact and bare ids in any case, parts of names, globs with classes and braces, levels; over every fifth model."""
    models = [model for models in snapshot().models.values() for model in models][::5]
    patterns = list(_patterns(models, Random(SEED)))
    given = {
        "models": [{"provider": model.provider, "id": model.id, "name": model.name} for model in models],
        "patterns": patterns,
    }
    done = subprocess.run(
        [node, str(Path(__file__).with_name("enabled.mjs")), str(package_of("1.5.2") / BUNDLE)],
        input=json.dumps(given),
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    theirs = json.loads(done.stdout)
    named = 0
    for pattern, found in zip(patterns, theirs, strict=True):
        ours, _ = select([pattern], models)
        assert {model.canonical_id for model in ours} == set(found), pattern
        named += bool(found)
    print(f"\n{len(patterns)} patterns over {len(models)} models, {named} of them name some: all equal")


def _patterns(models: Sequence[Model], random: Random) -> Iterator[str]:
    shapes: list[Callable[[Model], str]] = [
        lambda model: model.canonical_id,
        lambda model: model.id,
        lambda model: model.id.upper(),
        lambda model: f" {model.canonical_id.title()} ",
        lambda model: f"{model.canonical_id}:{random.choice(LEVELS)}",
        lambda model: f"{model.id}:{random.choice(LEVELS)}",
        lambda model: f"{model.provider}/*",
        lambda model: f"{model.provider}/**",
        lambda model: f"{model.provider}/*:{random.choice(LEVELS)}",
        lambda model: f"*{_part(model.id, random)}*",
        lambda model: f"{_part(model.id, random)}*",
        lambda model: f"**/*{_part(model.id, random)}",
        lambda model: model.id.replace(_part(model.id, random), "?", 1),
        lambda model: model.id.replace(_part(model.id, random), "[a-z0-9]", 1),
        lambda model: model.id.replace(_part(model.id, random), "[!a-m]*", 1),
        lambda model: f"{{{model.provider},groq}}/*",
        lambda model: f"{{{_part(model.id, random)},x}}*",
        lambda model: f"!{model.provider}/*",
        lambda model: _part(model.id, random),
        lambda model: _part(model.name, random),
        lambda model: f"{model.provider}/{_part(model.id, random)}",
        lambda model: f"{_part(model.id, random)}:{random.choice(LEVELS)}",
        lambda model: f"nobody/{model.id}",
    ]
    for number in range(PATTERNS):
        yield shapes[number % len(shapes)](random.choice(models))


def _part(text: str, random: Random) -> str:
    start = random.randrange(len(text))
    return text[start : start + random.randint(1, 6)]
