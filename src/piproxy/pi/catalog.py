"""pi's built-in model catalog: the snapshot that piproxy ships, or an installed pi's newer one (pi-on-disk.md, 7)."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, TypeAlias

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.pi.entries import model_from_entry

Choice: TypeAlias = Literal["auto", "snapshot", "installed"]
"""``auto``: the newer one by the time pi generated it."""

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The built-in models, before anything the user configured."""

    pi_version: str
    generated_at: str
    """When pi generated the data, as pi writes it: ISO 8601, UTC."""
    models: Mapping[str, tuple[Model, ...]] = field(repr=False)
    """By provider, in pi's order."""
    others: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict, repr=False)
    """Ids that are no chat models: provider -> kind (``image``, ``classifier``) -> ids."""
    path: Path | None = None
    """The data directory of an installed pi; ``None``: the shipped snapshot."""

    @property
    def generated_ms(self) -> float:
        """:attr:`generated_at` in milliseconds since 1970, pi's unit; 0 when unreadable."""
        return _milliseconds(self.generated_at)


class _Shipped(Mapping[str, tuple[Model, ...]]):
    """The snapshot's models. A provider is read when it is asked for: few of them have a credential."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        """``lines``: ``"provider":{api: {id: entry}},`` each."""
        self._lines: dict[str, bytes] = {}
        for line in lines:
            provider, _, apis = line.partition(b":")
            self._lines[json.loads(provider)] = apis.rstrip(b",")
        self._read: dict[str, tuple[Model, ...]] = {}

    def __getitem__(self, provider: str) -> tuple[Model, ...]:
        known = self._read.get(provider)
        if known is not None:
            return known
        models = tuple(
            model
            for api, entries in json.loads(self._lines[provider]).items()
            for id, entry in entries.items()  # noqa: A001
            if (model := model_from_entry(provider, entry, id=id, api=api)) is not None
        )
        return self._read.setdefault(provider, models)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, provider: object) -> bool:
        return provider in self._lines


@cache
def snapshot() -> Catalog:
    """The shipped catalog; unpacked on the first call, a few milliseconds."""
    packed = files("piproxy.pi").joinpath("data", "catalog.json.gz").read_bytes()
    head, *lines = gzip.decompress(packed).split(b"\n")
    document = json.loads(head + b"}}")
    if document["schema"] != _SCHEMA:
        raise ValueError(f"catalog schema {document['schema']}, not {_SCHEMA}")
    return Catalog(
        pi_version=document["pi_version"],
        generated_at=document["generated_at"],
        models=_Shipped(lines[:-1]),
        others={
            provider: {kind: tuple(ids) for kind, ids in kinds.items()}
            for provider, kinds in document["others"].items()
        },
    )


def read_installed(package: Path, pi_version: str) -> Catalog:
    """The catalog of an installed pi-ai package, 0.73 or later.

    Raises ``OSError`` or ``ValueError`` when the data is missing, cannot be read or is not what its manifest says; the
    snapshot stands in then.
    """
    data = package / "dist" / "providers" / "data"
    if not (data / ".manifest.json").exists():
        return _read_generated_js(package / "dist" / "models.generated.js", pi_version)
    manifest = json.loads((data / ".manifest.json").read_bytes())
    generated_at = manifest.get("generatedAt") if isinstance(manifest, dict) else None
    names = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(generated_at, str) or not _milliseconds(generated_at) or not isinstance(names, dict):
        raise ValueError(f"{data / '.manifest.json'} does not say when it was generated")
    models: dict[str, tuple[Model, ...]] = {}
    others: dict[str, dict[str, tuple[str, ...]]] = {}
    for provider in sorted(name.removesuffix(".json") for name in names):
        content = (data / f"{provider}.json").read_bytes()
        if sha256(content).hexdigest() != names[f"{provider}.json"]:
            raise ValueError(f"{provider}.json is not what the manifest says")
        chat, rest = _sorted_out(provider, json.loads(content))
        if chat:
            models[provider] = chat
        if rest:
            others[provider] = rest
    if not models:
        raise ValueError(f"no models in {data}")
    return Catalog(pi_version=pi_version, generated_at=generated_at, models=models, others=others, path=data)


def newer(first: Catalog, second: Catalog) -> Catalog:
    """The one that pi generated later; the first when they are equally old."""
    return second if second.generated_ms > first.generated_ms else first


def _sorted_out(provider: str, apis: Json) -> tuple[tuple[Model, ...], dict[str, tuple[str, ...]]]:
    """Chat models, and the ids of others by kind; keys are ``type:id`` (1.x) or the bare id (0.8x): both are ignored,
    as each entry names itself."""
    chat: list[Model] = []
    others: dict[str, list[str]] = {}
    for api, entries in apis.items():
        for entry in entries.values():
            kind = entry.get("type", "chat")
            if kind != "chat":
                others.setdefault(kind, []).append(entry["id"])
            elif (model := model_from_entry(provider, entry, api=api)) is not None:
                chat.append(model)
    return tuple(chat), {kind: tuple(ids) for kind, ids in others.items()}


_MODELS_JS: Final = re.compile(r"export const MODELS\s*=\s*(\{.*\})\s*(?:as const)?\s*;", re.DOTALL)
_STRING_OR_KEY: Final = re.compile(r'("(?:\\.|[^"\\])*")|([A-Za-z_$][\w$]*)(\s*:)|,(\s*[}\]])')


def _read_generated_js(path: Path, pi_version: str) -> Catalog:
    """pi 0.73's catalog: an object literal with bare keys and trailing commas; undated, so it never counts as newer."""
    found = _MODELS_JS.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"no model catalog in {path}")
    text = _STRING_OR_KEY.sub(_as_json, found[1])
    models = {
        provider: tuple(model for entry in entries.values() if (model := model_from_entry(provider, entry)) is not None)
        for provider, entries in json.loads(text).items()
    }
    return Catalog(pi_version=pi_version, generated_at="", models=models, path=path)


def _as_json(match: re.Match[str]) -> str:
    string, key, colon, closing = match.groups()
    if string is not None:
        return str(string)
    return f'"{key}"{colon}' if key is not None else str(closing)


def _milliseconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except ValueError:
        return 0.0
