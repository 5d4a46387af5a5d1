"""models.json: the user's own providers and models, and changes to the built-in ones (pi-on-disk.md, 5).

Keys and header values stay as written (config values, :mod:`piproxy.pi.values`); they are resolved per request.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from piproxy.jsontext import Json
from piproxy.pi import jsonfile
from piproxy.pi.jsonfile import Fingerprint, UnreadableFile
from piproxy.pi.locate import Lines
from piproxy.pi.models_shape import faults
from piproxy.pi.problem import Problem

_MOST_FAULTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """One provider of models.json."""

    id: str
    line: int | None = None
    """Where the entry begins in the file."""
    name: str | None = None
    base_url: str | None = None
    api: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """A config value."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Config values."""
    auth_header: bool | None = None
    """Also send the key as ``Authorization: Bearer``."""
    radius: bool = False
    """``oauth: "radius"``: a Radius gateway of the user's own."""
    compat: Mapping[str, Json] = field(default_factory=dict)
    models: tuple[Mapping[str, Json], ...] = field(default=(), repr=False)
    """Definitions, of the shape of 5.2."""
    overrides: Mapping[str, Mapping[str, Json]] = field(default_factory=dict, repr=False)
    """``modelOverrides``: model id -> the fields to change."""
    says_something: bool = True
    """``False``: none of the members that make an entry meaningful is there."""

    def model_headers(self, model_id: str) -> Mapping[str, str]:
        """The headers of one model, as config values: those of its override, then those of its definition (8.3)."""
        definition = next((model for model in self.models if model["id"] == model_id), {})
        override = self.overrides.get(model_id, {})
        return {**override.get("headers", {}), **definition.get("headers", {})}


@dataclass(frozen=True, slots=True)
class ModelsFile:
    """One reading of models.json; providers in the file's order."""

    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    fingerprint: Fingerprint | None = None


def read(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> ModelsFile:
    """Read the file; never raises. A syntax or schema error leaves no providers, and a problem in pi's words (5.6).

    ``sleep`` is called between two attempts on a half-written file.
    """
    mark = jsonfile.fingerprint(path)
    try:
        document = jsonfile.read(path, missing=None, relaxed=True, sleep=sleep)
    except UnreadableFile as exc:
        verb = "load" if isinstance(exc.__cause__, OSError) else "parse"
        problem = Problem(path, f"Failed to {verb} models.json: {exc.reason}", exc.line)
        return ModelsFile(problems=(problem,), fingerprint=mark)
    if document.fingerprint is None:
        return ModelsFile()
    places = _places(path, document.value)
    found = faults(document.value)
    if found:
        lines = [f"  - {'.'.join(where) or 'root'}: {what}" for where, what in found[:_MOST_FAULTS]]
        reason = "\n".join(["Invalid models.json schema:", *lines])
        problem = Problem(path, reason, places.of(found[0][0]))
        return ModelsFile(problems=(problem,), fingerprint=document.fingerprint)
    providers = {
        id: _provider(id, entry, places.of(("providers", id)))
        for id, entry in document.value["providers"].items()  # noqa: A001
    }
    return ModelsFile(providers, (), document.fingerprint)


def _places(path: Path, value: Json) -> Lines:
    """Where things stand in the file; nowhere, if it is not the text that ``value`` came from any more."""
    try:
        text = jsonfile.without_comments(path.read_text(encoding="utf-8-sig", errors="replace"))
        return Lines(text if json.loads(text) == value else "")
    except (OSError, ValueError):
        return Lines("")


def _provider(id: str, entry: Mapping[str, Json], line: int | None) -> ProviderConfig:
    overrides = entry.get("modelOverrides", {})
    meaningful = ("baseUrl", "headers", "compat", "apiKey", "oauth", "authHeader")
    return ProviderConfig(
        id=id,
        line=line,
        name=entry.get("name"),
        base_url=entry.get("baseUrl"),
        api=entry.get("api"),
        api_key=entry.get("apiKey"),
        headers=entry.get("headers", {}),
        auth_header=entry.get("authHeader"),
        radius="oauth" in entry,
        compat=entry.get("compat", {}),
        models=tuple(entry.get("models", ())),
        overrides=overrides,
        says_something=bool(entry.get("models") or overrides or any(key in entry for key in meaningful)),
    )
