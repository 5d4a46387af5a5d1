"""The settings as panels show them: in pi (``/proxy config``) and in a terminal (``piproxy config edit``).

Both panels are made from this, so neither has a rule of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from piproxy.cli.surroundings import Surroundings, only_file
from piproxy.model import Model
from piproxy.settings import BY_KEY, SCHEMA, Setting, Value
from piproxy.settings.describe import allowed, shown

MASK: Final = "********"
_UNIT: Final = re.compile("(Sec|Mb)$")
_SHORT: Final = {"id": "ID", "tls": "TLS", "zed": "Zed"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the things to choose from."""

    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a panel."""

    key: str
    label: str
    kind: str
    """As in :data:`piproxy.settings.schema.Kind`."""
    help: str
    allowed: str
    shown: str
    """The value in the file, or the default; secrets are masked."""
    text: str
    """The value as ``config set`` takes it; empty for secrets."""
    choices: tuple[str, ...] = ()
    """All there is, for kinds with a few values."""
    candidates: tuple[Candidate, ...] = ()
    """What makes sense here and now, for lists and maps; other values are allowed."""
    chosen: tuple[str, ...] = ()
    """The members of a list."""
    secret: bool = False
    restart: bool = False
    wins: str | None = None
    """The variable that is set and wins over the file."""


def entries(around: Surroundings) -> list[Entry]:
    """One entry per setting, in the schema's order."""
    file = only_file(around).effective
    available = around.view.available()
    sources = around.effective.sources
    return [_entry(one, file.values[one.key], file.sources[one.key], sources[one.key], available) for one in SCHEMA]


def _entry(setting: Setting, value: Value, file_source: str, source: str, available: Iterable[Model]) -> Entry:
    unit = f" {setting.unit}" if setting.unit and isinstance(value, int | float) else ""
    words = f"{shown(value)}{unit}"
    if file_source in BY_KEY:  # another setting stands in
        value, words = setting.default, f"as {label(file_source).lower()}"
    return Entry(
        key=setting.key,
        label=label(setting.key),
        kind=setting.kind,
        help=setting.help,
        allowed=allowed(setting),
        shown=(MASK if value else "none") if setting.secret else words,
        text="" if setting.secret else as_text(value),
        choices=("true", "false") if setting.kind == "boolean" else setting.choices,
        candidates=tuple(_candidates(setting.key, available)),
        chosen=value if isinstance(value, tuple) else (),
        secret=setting.secret,
        restart=setting.restart,
        wins=source if source.startswith("PI_") else None,
    )


def label(key: str) -> str:
    """``maxBodySizeMb`` -> ``Max body size``."""
    words = re.sub("([A-Z])", r" \1", _UNIT.sub("", key)).lower().split()
    text = " ".join(_SHORT.get(word, word) for word in words)
    return text[0].upper() + text[1:]


def as_text(value: Value) -> str:
    """A value as ``config set`` takes it."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool | str | int | float):
        return shown(value) if value != "" else ""
    return ",".join(f"{name}={shown(item)}" for name, item in value.items())


def _candidates(key: str, available: Iterable[Model]) -> Iterable[Candidate]:
    if key in ("scopedProviders", "providerPrefixes"):
        for provider, count in Counter(model.provider for model in available).items():
            yield Candidate(provider, f"{count} model{'' if count == 1 else 's'}")
    elif key == "customModels":
        for model in available:
            yield Candidate(model.canonical_id, model.name or "")
