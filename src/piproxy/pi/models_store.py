"""models-store.json: catalogs that pi fetched (pi-on-disk.md, 6). Read only; malformed parts count as missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.pi import jsonfile
from piproxy.pi.entries import model_from_entry
from piproxy.pi.jsonfile import Fingerprint, UnreadableFile
from piproxy.pi.problem import Problem

LLAMA: Final = "llama.cpp"
"""pi's built-in extension provider; its models come from this file alone."""

_PERSONAL: Final = "openrouter"
"""Its list is the key's own, and replaces the catalog."""


@dataclass(frozen=True, slots=True)
class StoredCatalog:
    """One provider's entry, chat models of that provider only."""

    models: tuple[Model, ...]
    last_modified: float | None = None
    """Milliseconds since 1970; ``None``: never told, so it counts as old."""


@dataclass(frozen=True, slots=True)
class ModelsStore:
    """One reading of models-store.json."""

    providers: Mapping[str, StoredCatalog] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fingerprint: Fingerprint | None = None

    def over(
        self, provider: str, baseline: tuple[Model, ...], generated_ms: float, *, replaces: bool = False
    ) -> tuple[Model, ...]:
        """The provider's models with this layer: ``baseline`` is the catalog's, generated at ``generated_ms``.

        ``replaces``: a Radius gateway, whose entry stands for everything, even when it is empty.
        """
        stored = self.providers.get(provider)
        if stored is None:
            return baseline
        if replaces or provider == LLAMA:
            return _each_once(stored.models)
        if provider == _PERSONAL:
            return _each_once(stored.models) or baseline
        if stored.last_modified is None or stored.last_modified <= generated_ms:
            return baseline
        return tuple({model.id: model for model in (*baseline, *stored.models)}.values())


def _each_once(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Of equal ids the first, which is the one that pi finds; two models of one name could not be exposed."""
    first: dict[str, Model] = {}
    for model in models:
        first.setdefault(model.id, model)
    return tuple(first.values())


def read(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> ModelsStore:
    """Read the file; never raises.

    ``sleep`` is called between two attempts on a half-written file.
    """
    mark = jsonfile.fingerprint(path)
    try:
        document = jsonfile.read(path, missing={}, sleep=sleep)
    except UnreadableFile as exc:
        return ModelsStore(problems=(Problem(path, f"ignored: {exc.reason}", exc.line),), fingerprint=mark)
    if not isinstance(document.value, dict):
        problem = Problem(path, "ignored: must be an object")
        return ModelsStore(problems=(problem,), fingerprint=document.fingerprint)
    entries = ((provider, _entry(provider, entry)) for provider, entry in document.value.items())
    return ModelsStore({provider: entry for provider, entry in entries if entry}, (), document.fingerprint)


def _entry(provider: str, entry: Json) -> StoredCatalog | None:
    models = entry.get("models") if isinstance(entry, dict) else None
    if not isinstance(models, list):
        return None
    modified = entry.get("lastModified")
    return StoredCatalog(
        tuple(
            model
            for item in models
            if isinstance(item, dict) and item.get("provider") == provider and item.get("type", "chat") == "chat"
            if (model := model_from_entry(provider, item)) is not None
        ),
        modified if isinstance(modified, int | float) and not isinstance(modified, bool) else None,
    )
