"""One value: from a file, where what is wrong is repaired with a warning, or from a text, where it is refused."""

from __future__ import annotations

import math
from typing import Final

from piproxy.errors import ConfigError
from piproxy.jsontext import Json
from piproxy.settings.addresses import read_address
from piproxy.settings.schema import Setting, Value

_TRUE: Final = frozenset(("true", "1", "yes", "on"))
_ADDRESS: Final = "HOST:PORT or [IPv6]:PORT"
_FALSE: Final = frozenset(("false", "0", "no", "off"))


def normalised(setting: Setting, value: Json) -> tuple[Value, str | None]:
    """A value of proxy-config.json as the Node proxy takes it (pi-on-disk.md, 9.3), and what was repaired.

    Numbers are rounded and pulled into the range, a wrong type means the default, empty members of lists and objects
    are dropped.
    """
    match setting.kind:
        case "integer" | "number":
            return _number_in_file(setting, value)
        case "boolean":
            return _kept(setting, value, isinstance(value, bool), "true or false")
        case "choice":
            return _kept(setting, value, value in setting.choices, _one_of(setting))
        case "strings":
            return _strings_in_file(setting, value)
        case "addresses":
            return _addresses_in_file(setting, value)
        case "map":
            return _map_in_file(setting, value)
        case "zed":
            return _zed_in_file(setting, value)
        case "string" if setting.secret and isinstance(value, str):
            return value.strip(), None
        case "string":
            wanted = isinstance(value, str) and (value != "" or setting.default == "")
            return _kept(setting, value, wanted, "a string" if setting.default == "" else "a string that is not empty")


def parsed(setting: Setting, text: str, source: str, factor: float = 1.0, unit: str = "") -> Value:
    """A value written as text (a flag, a variable, ``config set``).

    ``factor`` turns the text's number into the setting's unit, ``unit`` is the text's own. Raises
    :class:`~piproxy.errors.ConfigError` with ``source`` and what is allowed.
    """
    match setting.kind:
        case "integer" | "number":
            return _number(setting, text, source, factor, unit or setting.unit)
        case "boolean":
            word = text.strip().lower()
            if word not in _TRUE | _FALSE:
                raise ConfigError(f"{source}: {text!r} is not allowed; allowed are true and false.")
            return word in _TRUE
        case "choice":
            if text not in setting.choices:
                raise ConfigError(f"{source}: {text!r} is not allowed; allowed are {_one_of(setting)}.")
            return text
        case "strings":
            return _listed(text)
        case "addresses":
            if wrong := next((item for item in _listed(text) if read_address(item) is None), None):
                raise ConfigError(f"{source}: {wrong!r} is not allowed; allowed is {_ADDRESS}.")
            return _listed(text)
        case "map":
            return _pairs(text, source)
        case "zed":
            return {
                name: value == "true" if name == "autoSync" else value for name, value in _pairs(text, source).items()
            }
        case "string":
            if not text and setting.default != "":
                raise ConfigError(f"{source}: must not be empty.")
            return text.strip() if setting.secret else text


def parsed_for_file(setting: Setting, text: str) -> Value:
    """The same for ``config set``: in the file's unit and range, which is not always that of variables and flags."""
    if setting.kind not in ("integer", "number"):
        return parsed(setting, text, setting.key)
    try:
        value = int(text, 10) if setting.kind == "integer" else float(text)
    except ValueError:
        value = math.inf
    low, high = setting.low, setting.high
    if not ((low is None or value >= low) and (high is None or value <= high)):  # nor nan
        raise ConfigError(f"{setting.key}: {text!r} is not allowed; allowed is {_file_range(setting)}.")
    return value


def range_text(setting: Setting, factor: float = 1.0, unit: str = "") -> str:
    """The allowed range in words, in the unit that ``factor`` and ``unit`` describe; ``""`` without one."""
    low, high = setting.bounds
    if low is None or high is None:
        return ""
    unit = unit or setting.unit
    return f"{_shown(low / factor)} to {_shown(high / factor)}{f' {unit}' if unit else ''}"


def _number_in_file(setting: Setting, value: Json) -> tuple[Value, str | None]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return _kept(setting, value, False, "a number")
    rounded = math.floor(value + 0.5) if setting.kind == "integer" else float(value)
    low, high = setting.low, setting.high
    fitted = rounded if low is None or high is None else min(max(rounded, low), high)
    fitted = int(fitted) if setting.kind == "integer" else fitted
    if fitted == value:
        return fitted, None
    return fitted, f"{setting.key}: {value} is taken as {fitted}; allowed is {_file_range(setting)}"


def _kept(setting: Setting, value: Json, good: bool, wanted: str) -> tuple[Value, str | None]:
    if good:
        kept: Value = value
        return kept, None
    shown = "the value" if setting.secret else repr(value)
    return setting.default, f"{setting.key}: {shown} is not {wanted}; the default is used"


def _strings_in_file(setting: Setting, value: Json) -> tuple[Value, str | None]:
    if not isinstance(value, list):
        return _kept(setting, value, False, "a list of strings")
    kept = tuple(item for item in value if isinstance(item, str) and item)
    return kept, None if len(kept) == len(value) else f"{setting.key}: members that are no strings are dropped"


def _addresses_in_file(setting: Setting, value: Json) -> tuple[Value, str | None]:
    if not isinstance(value, list):
        return _kept(setting, value, False, f"a list of addresses, each {_ADDRESS}")
    kept = tuple(item for item in value if isinstance(item, str) and read_address(item) is not None)
    return kept, None if len(kept) == len(value) else f"{setting.key}: members that are not {_ADDRESS} are dropped"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _map_in_file(setting: Setting, value: Json) -> tuple[Value, str | None]:
    if not isinstance(value, dict):
        return _kept(setting, value, False, "an object of strings")
    kept = {key: text for key, text in value.items() if isinstance(text, str) and text}
    return kept, None if len(kept) == len(value) else f"{setting.key}: members that are no strings are dropped"


def _zed_in_file(setting: Setting, value: Json) -> tuple[Value, str | None]:
    """One bad member resets both."""
    name = value.get("providerName") if isinstance(value, dict) else None
    auto = value.get("autoSync") if isinstance(value, dict) else None
    if not isinstance(name, str) or not name.strip() or not isinstance(auto, bool):
        return _kept(setting, value, False, '{"providerName": a string, "autoSync": true or false}')
    return {"providerName": name.strip(), "autoSync": auto}, None


def _number(setting: Setting, text: str, source: str, factor: float, unit: str) -> Value:
    refusal = ConfigError(f"{source}: {text!r} is not allowed; allowed is {range_text(setting, factor, unit)}.")
    low, high = setting.bounds
    try:
        number = float(text) if setting.kind == "number" or (low is not None and 0 < low < 1) else int(text, 10)
        value = number * factor
    except (ValueError, OverflowError):
        raise refusal from None
    if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        raise refusal
    return value if factor != 1.0 else number


def _pairs(text: str, source: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in text.split(","):
        name, found, value = item.partition("=")
        if not item.strip():
            continue
        if not found or not name.strip() or not value.strip():
            raise ConfigError(f"{source}: {item.strip()!r} is not allowed; allowed is name=value,name=value.")
        pairs[name.strip()] = value.strip()
    return pairs


def _one_of(setting: Setting) -> str:
    return " | ".join(setting.choices)


def _file_range(setting: Setting) -> str:
    whole = "a whole number " if setting.kind == "integer" else ""
    return (
        f"{whole}{_shown(setting.low or 0)} to {_shown(setting.high or 0)}{f' {setting.unit}' if setting.unit else ''}"
    )


def _shown(number: float) -> str:
    return str(round(number)) if abs(number - round(number)) < 1e-9 else f"{number:g}"
