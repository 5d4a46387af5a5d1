"""The schema in words: JSON Schema for editors, a table for the README, a help text per flag."""

from __future__ import annotations

from typing import Any, Final

from piproxy.settings.schema import SCHEMA, Setting, Value
from piproxy.settings.values import range_text

_TYPES: Final = {
    "string": "string",
    "choice": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "strings": "array",
    "addresses": "array",
    "map": "object",
    "zed": "object",
}


def json_schema() -> dict[str, Any]:
    """JSON Schema of proxy-config.json; unknown keys are allowed."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "proxy-config.json",
        "type": "object",
        "properties": {setting.key: _property(setting) for setting in SCHEMA},
        "additionalProperties": True,
    }


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| Setting | Flag | Variable | Default | Allowed | Meaning |", "|---|---|---|---|---|---|"]
    for setting in SCHEMA:
        flag = f"`{setting.option}`" if setting.flag else "none"
        variables = ", ".join(f"`{one.name}`{f' ({one.unit})' if one.unit else ''}" for one in setting.variables)
        cells = (f"`{setting.key}`", flag, variables or "none", shown(setting.default), allowed(setting), setting.help)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def help_text(setting: Setting) -> str:
    """One line for a flag: meaning, range, variable, default."""
    notes = [f"[{range_text(setting)}]"] if range_text(setting) else []
    if setting.variables:
        notes.append(f"[{setting.variables[0].name}]")
    if setting.kind not in ("strings", "addresses", "map") and setting.default != "":
        notes.append(f"[default: {shown(setting.default)}]")
    return " ".join((setting.help, *notes))


def allowed(setting: Setting) -> str:
    """What a value may be, in the file's unit."""
    if setting.choices:
        return " | ".join(setting.choices)
    if setting.low is not None and setting.high is not None:
        return f"{setting.low:g} to {setting.high:g}{f' {setting.unit}' if setting.unit else ''}"
    return {
        "strings": "list of strings",
        "addresses": "list of HOST:PORT",
        "map": "object of strings",
        "boolean": "true | false",
    }.get(setting.kind, _TYPES[setting.kind])


def shown(value: Value) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, str | int):
        return str(value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(f"{key}={shown(item)}" for key, item in value.items()) or "none"


def _property(setting: Setting) -> dict[str, Any]:
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    described: dict[str, Any] = {"type": _TYPES[setting.kind], "description": setting.help, "default": default}
    if setting.choices:
        described["enum"] = list(setting.choices)
    if setting.low is not None:
        described |= {"minimum": setting.low, "maximum": setting.high}
    if setting.kind in ("strings", "addresses"):
        described["items"] = {"type": "string", "minLength": 1}
    if setting.kind == "map":
        described["additionalProperties"] = {"type": "string", "minLength": 1}
    if setting.unit:
        described["x-unit"] = setting.unit
    described |= {"x-environment": [one.name for one in setting.variables], "x-needs-restart": setting.restart}
    if setting.flag:
        described["x-flag"] = setting.option
    return described
