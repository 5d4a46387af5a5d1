"""Where settings come from: flags, then PI_PROXY_* variables, then proxy-config.json, then the defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.jsontext import Json, integer
from piproxy.settings.addresses import beyond_loopback
from piproxy.settings.record import Settings, settings_from
from piproxy.settings.schema import BY_KEY, SCHEMA, Setting, Value
from piproxy.settings.token import KEY, REMEDY, doubtful, listed, slip, unusable
from piproxy.settings.values import normalised, parsed, parsed_for_file
from piproxy.similar import similar

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
    refusal: str = ""
    """One of the warnings: why a proxy must not start, although everything else can be looked at."""

    def for_start(self) -> Settings:
        """The settings. Raises :class:`~piproxy.errors.ConfigError` where a start might lose the token of the file."""
        if self.refusal:
            raise ConfigError(f"{self.refusal}. {REMEDY}")
        return self.settings


def load(environ: Mapping[str, str], path: Path | None = None, flags: Mapping[str, Flag] | None = None) -> Effective:
    """Put the settings together. ``path`` is proxy-config.json, ``flags`` are by field name (``auth_token``).

    Raises :class:`~piproxy.errors.ConfigError` for a bad flag or variable. What is wrong in the file is repaired and
    told in :attr:`Effective.warnings`; only where a token may be lost by that, :attr:`Effective.refusal` stops a start.
    """
    document, broken = read_file(path) if path is not None else ({}, [])
    if path is not None and not broken and path.is_symlink() and not path.exists():
        broken = [f"{path}: it is a link that leads nowhere; the defaults are used"]
    flaws = list(broken)
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for setting in SCHEMA:
        found = _from_flag(setting, flags or {}) or _from_variable(setting, environ)
        if found is None and setting.key in document:
            value, warning = normalised(setting, document[setting.key])
            found = value, DEFAULT if value == setting.default and warning else str(path)
            flaws += [f"{path}: {warning}"] if warning and setting.key != KEY else []
        values[setting.key], sources[setting.key] = found or (setting.default, DEFAULT)
    for key in ("firstByteTimeoutSec", "idleTimeoutSec"):
        if not values[key]:
            values[key], sources[key] = values["upstreamTimeoutSec"], "upstreamTimeoutSec"
    settings = settings_from(values)
    trouble, refusal = _token_trouble(document, path, broken, settings, sources[KEY])
    flaws += filter(None, (trouble, refusal))
    unknown = [f"{path}: {_unknown(key)}" for key in document if key not in BY_KEY]
    news = [text for text in unknown if not any(flaw.startswith(text) for flaw in flaws)]
    return Effective(settings, values, sources, (*flaws, *news), tuple(flaws), refusal)


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
    value = parsed_for_file(setting, text)
    good, warning = normalised(setting, list(value) if isinstance(value, tuple) else value)
    if warning is not None:
        raise ConfigError(warning)
    return good


def _token_trouble(
    document: Mapping[str, Json], path: Path | None, broken: list[str], settings: Settings, source: str
) -> tuple[str, str]:
    """What is wrong with what the file says about the token, and why that stops a start; each may be empty."""
    given = source not in (DEFAULT, str(path))
    if wrong := unusable(document):
        return (
            (f"{path}: {wrong}; {source} is used", "")
            if given
            else ("", f"{path}: {wrong}; piproxy does not start with it")
        )
    likely = None if given else doubtful(document, BY_KEY)
    exposed = () if settings.auth_token else beyond_loopback(settings.addresses)
    doubt = broken[0].partition(";")[0] if broken else f"{path}: {likely}" if likely else ""
    if doubt and exposed:
        refusal = (
            f"{doubt}; so nobody knows whether it asks for a token, and piproxy does not listen on {listed(exposed)}"
        )
        return "", f"{refusal} without one"
    return ("" if broken else doubt), ""


def _unknown(key: str) -> str:
    near = similar(key, BY_KEY)
    return slip(key, near[0]) if near else f"{key}: unknown key"


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
