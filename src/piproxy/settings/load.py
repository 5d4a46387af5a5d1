"""Where settings come from: flags, then PI_PROXY_* variables, then proxy-config.json, then the defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.jsontext import Json, integer
from piproxy.settings.record import Settings, settings_from
from piproxy.settings.schema import BY_KEY, SCHEMA, Setting, Value
from piproxy.settings.values import normalised, parsed

DEFAULT: Final = "default"

Flag = str | int | float | bool | tuple[str, ...] | None
"""What the command line gives for an option; ``None`` and ``()``: not given."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force, and where each came from."""

    settings: Settings
    values: Mapping[str, Value]
    """By key of the file."""
    sources: Mapping[str, str]
    """By key: ``--port``, ``PI_PROXY_PORT``, the file's path, ``default``, or the setting that stands in."""
    warnings: tuple[str, ...] = ()
    """What was wrong in the file and how it was taken."""
    flaws: tuple[str, ...] = ()
    """Those of the warnings after which something else is in force than the file says."""


def load(environ: Mapping[str, str], path: Path | None = None, flags: Mapping[str, Flag] | None = None) -> Effective:
    """Put the settings together. ``path`` is proxy-config.json, ``flags`` are by field name (``auth_token``).

    Raises :class:`~piproxy.errors.ConfigError` for a bad flag or variable. The file never stops a start: what is wrong
    in it is repaired and told in :attr:`Effective.warnings`.
    """
    document, warnings = read_file(path) if path is not None else ({}, [])
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for setting in SCHEMA:
        found = _from_flag(setting, flags or {}) or _from_variable(setting, environ)
        if found is None and setting.key in document:
            value, warning = normalised(setting, document[setting.key])
            found = value, DEFAULT if value == setting.default and warning else str(path)
            warnings += [f"{path}: {warning}"] if warning else []
        values[setting.key], sources[setting.key] = found or (setting.default, DEFAULT)
    for key in ("firstByteTimeoutSec", "idleTimeoutSec"):
        if not values[key]:
            values[key], sources[key] = values["upstreamTimeoutSec"], "upstreamTimeoutSec"
    flaws = tuple(warnings)
    unknown = [f"{path}: {key}: unknown key" for key in document if key not in BY_KEY]
    return Effective(settings_from(values), values, sources, (*flaws, *unknown), flaws)


def read_file(path: Path) -> tuple[dict[str, Json], list[str]]:
    """The file's object, and what is wrong with the file as a whole; no file is an empty object."""
    try:
        if path.is_fifo():  # nobody knows when its writer comes
            return {}, [f"{path}: it is a pipe, not a file; the defaults are used"]
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_int=integer)
    except FileNotFoundError:
        return {}, []
    except json.JSONDecodeError as exc:
        return {}, [f"{path}:{exc.lineno}: {exc.msg}; the defaults are used"]
    except (OSError, ValueError, RecursionError) as exc:
        return {}, [f"{path}: cannot be read ({exc}); the defaults are used"]
    if not isinstance(document, dict):
        return {}, [f"{path}: must be an object; the defaults are used"]
    return document, []


def parse_text(key: str, text: str) -> Value:
    """A value for ``config set``, in the file's unit. Raises :class:`~piproxy.errors.ConfigError`."""
    setting = BY_KEY.get(key)
    if setting is None:
        raise ConfigError(f"{key}: no such setting; there are {', '.join(BY_KEY)}.")
    value = parsed(setting, text, key)
    good, warning = normalised(setting, list(value) if isinstance(value, tuple) else value)
    if warning is not None:
        raise ConfigError(warning)
    return good


def _from_flag(setting: Setting, flags: Mapping[str, Flag]) -> tuple[Value, str] | None:
    given = flags.get(setting.field)
    if given is None or given == ():
        return None
    if isinstance(given, bool):
        option = setting.option if given else setting.option.replace("--", "--no-", 1)
        return given, option
    if isinstance(given, tuple):
        given = ",".join(given)
    return parsed(setting, str(given), setting.option), setting.option


def _from_variable(setting: Setting, environ: Mapping[str, str]) -> tuple[Value, str] | None:
    """An empty variable counts as unset; an empty token (``PI_PROXY_AUTH_TOKEN=``) means that there is none."""
    for variable in setting.variables:
        text = environ.get(variable.name)
        if text is None or (not text.strip() and not setting.secret):
            continue
        if variable.foreign and text not in setting.choices:
            continue
        return parsed(setting, text, variable.name, variable.factor, variable.unit), variable.name
    return None
