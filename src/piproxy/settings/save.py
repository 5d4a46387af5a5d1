"""Writing proxy-config.json: only the keys that change, everything else as it is."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from piproxy.errors import ConfigError
from piproxy.jsontext import Json
from piproxy.settings.load import read_file
from piproxy.settings.schema import BY_KEY, Value


def save(path: Path, changes: Mapping[str, Value], *, remove: Collection[str] = ()) -> None:
    """Set and remove keys; unknown ones stay, in their order.

    Tab-indented as the Node proxy writes it, by a temporary file and a rename, mode 0600 because it may hold the token.
    Raises :class:`~piproxy.errors.ConfigError` for an unknown key and for a file that cannot be read or written: one
    that is broken is not overwritten.
    """
    unknown = [key for key in (*changes, *remove) if key not in BY_KEY]
    if unknown:
        raise ConfigError(f"{unknown[0]}: no such setting; there are {', '.join(BY_KEY)}.")
    document, broken = read_file(path)
    if broken:
        raise ConfigError(f"{broken[0].partition(';')[0]}; mend or remove the file first.")
    new: dict[str, Json] = {key: value for key, value in document.items() if key not in remove}
    new |= {key: list(value) if isinstance(value, tuple) else value for key, value in changes.items()}
    try:
        _replace(path, json.dumps(new, indent="\t", ensure_ascii=False) + "\n")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written: {exc.strerror}") from exc


def _replace(path: Path, text: str) -> None:
    target = Path(os.path.realpath(path))  # bears links that lead in a circle
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".tmp")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
