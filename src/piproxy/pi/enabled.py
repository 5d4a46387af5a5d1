"""pi's ``enabledModels``: which models its patterns name (pi-on-disk.md, 9.1; pi: core/model-resolver.js)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from piproxy.model import Model
from piproxy.pi import jsonfile
from piproxy.pi.glob import is_glob, matches
from piproxy.pi.jsonfile import Fingerprint, UnreadableFile
from piproxy.pi.problem import Problem
from piproxy.thinking import LEVELS

_DATED: Final = re.compile(r"-\d{8}$")
_COLLATION: Final = {
    sign: rank for rank, sign in enumerate("_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz")
}


@dataclass(frozen=True, slots=True)
class Enabled:
    """One reading of settings.json; only ``enabledModels`` of it."""

    patterns: tuple[str, ...] = ()
    """Empty: no scope, every model is enabled."""
    problems: tuple[Problem, ...] = ()
    fingerprint: Fingerprint | None = None


def read_enabled(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> Enabled:
    """Read pi's own settings; never raises."""
    mark = jsonfile.fingerprint(path)
    try:
        document = jsonfile.read(path, missing={}, sleep=sleep)
    except UnreadableFile as exc:
        return Enabled(problems=(Problem(path, f"enabledModels unknown: {exc.reason}", exc.line),), fingerprint=mark)
    value = document.value.get("enabledModels", []) if isinstance(document.value, dict) else []
    if not isinstance(value, list):
        problem = Problem(path, "enabledModels must be a list of strings")
        return Enabled(problems=(problem,), fingerprint=document.fingerprint)
    return Enabled(tuple(item for item in value if isinstance(item, str)), (), document.fingerprint)


def select(patterns: Sequence[str], models: Sequence[Model]) -> tuple[tuple[Model, ...], tuple[str, ...]]:
    """The models that the patterns name, in the order of ``models``, and the patterns that name none."""
    chosen: set[str] = set()
    idle: list[str] = []
    for pattern in patterns:
        named = _globbed(pattern, models) if is_glob(pattern) else _referenced(pattern, models, fuzzy=True)
        chosen |= {model.canonical_id for model in named}
        if not named:
            idle.append(pattern)
    return tuple(model for model in models if model.canonical_id in chosen), tuple(idle)


def _globbed(pattern: str, models: Sequence[Model]) -> list[Model]:
    """An id with brackets is itself first; then the glob is tried on ``provider/id`` and on the bare id."""
    bare, level = _split_level(pattern)
    pattern = bare if level else pattern
    exact = _exact(pattern.strip(), models, fuzzy=False)
    return exact or [model for model in models if matches(pattern, model.canonical_id) or matches(pattern, model.id)]


def _referenced(text: str, models: Sequence[Model], *, fuzzy: bool) -> list[Model]:
    """By name, then by part of a name, then the same without what follows the last colon."""
    text = text.strip()
    while text:
        found = _exact(text, models, fuzzy=fuzzy) or _tied(_containing(text, models))
        if found:
            return found
        text, colon, _ = text.rpartition(":")
        if not colon:
            break
    return []


def _exact(text: str, models: Sequence[Model], *, fuzzy: bool) -> list[Model]:
    """``provider/id`` or a bare id; of a bare id that several providers have: all of them."""
    wanted = text.lower()
    raw = [model for model in models if model.id.lower() == wanted]
    named = _named(text, models, raw, fuzzy=fuzzy)
    if named is not None:
        return [named]
    return raw[:1] if len({model.provider for model in raw}) == 1 else raw


def _named(text: str, models: Sequence[Model], raw: list[Model], *, fuzzy: bool) -> Model | None:
    split = _split_provider(text, models)
    if split is None:
        return None
    provider, rest = split
    own = [model for model in models if model.provider == provider]
    exact = next((model for model in own if model.id.lower() == rest.lower()), None)
    literal = next((model for model in raw if model.provider == provider), None)
    return exact or literal or (_best(_containing(rest, own)) if fuzzy else None)


def _split_provider(text: str, models: Sequence[Model]) -> tuple[str, str] | None:
    """The longest provider id in front of a slash, and what follows."""
    best: tuple[str, str] | None = None
    for provider in dict.fromkeys(model.provider for model in models):
        if best is not None and len(best[0]) >= len(provider):
            continue
        head, slash, rest = text[: len(provider)], text[len(provider) : len(provider) + 1], text[len(provider) + 1 :]
        if head.lower() == provider.lower() and slash == "/" and rest.strip():
            best = provider, rest.strip()
    return best


def _containing(text: str, models: Iterable[Model]) -> list[Model]:
    wanted = text.lower()
    return [model for model in models if wanted in model.id.lower() or wanted in model.name.lower()]


def _tied(found: list[Model]) -> list[Model]:
    """The best match; where several providers have that id: all of them."""
    best = _best(found)
    if best is None:
        return []
    tied = [model for model in found if model.id == best.id]
    return tied if len({model.provider for model in tied}) > 1 else [best]


def _best(found: list[Model]) -> Model | None:
    """Undated names before dated ones, then the highest."""
    undated = [model for model in found if model.id.endswith("-latest") or not _DATED.search(model.id)]
    return max(undated or found, key=lambda model: _collated(model.id), default=None)


def _collated(text: str) -> tuple[list[int], list[bool]]:
    """JavaScript's ``localeCompare`` for the signs that ids are made of: lower case first among equals."""
    return [_COLLATION.get(sign, 100 + ord(sign)) for sign in text.lower()], [sign.isupper() for sign in text]


def _split_level(text: str) -> tuple[str, str]:
    bare, colon, level = text.rpartition(":")
    return (bare, level) if colon and level in LEVELS else (text, "")
