"""The schema in words holds every setting."""

from __future__ import annotations

import json

from piproxy.settings import BY_KEY, SCHEMA, Value
from piproxy.settings.describe import allowed, help_text, json_schema, shown, table


def test_json_schema_has_every_key() -> None:
    """With type, default, range, variables and whether a restart is needed."""
    properties = json.loads(json.dumps(json_schema()))["properties"]
    assert list(properties) == [setting.key for setting in SCHEMA]
    assert properties["port"] == {
        "type": "integer",
        "description": BY_KEY["port"].help,
        "default": 4141,
        "minimum": 1,
        "maximum": 65535,
        "x-environment": ["PI_PROXY_PORT"],
        "x-needs-restart": True,
        "x-flag": "--port",
    }
    assert properties["modelExposureMode"]["enum"] == ["all", "scoped", "custom", "enabled"]
    assert properties["modelExposureMode"]["x-needs-restart"] is False


def test_table_has_a_row_per_setting() -> None:
    """Heading, ruler, rows of equal width."""
    lines = table().splitlines()
    assert len(lines) == len(SCHEMA) + 2
    assert {line.replace("\\|", "").count("|") for line in lines} == {7}
    assert "| `PI_PROXY_UPSTREAM_TIMEOUT_MS` (ms) | 120 | 5 to 600 s |" in table()


def test_help_of_a_flag() -> None:
    """Meaning, range, variable, default."""
    assert help_text(BY_KEY["port"]).endswith("[0 to 65535] [PI_PROXY_PORT] [default: 4141]")
    assert help_text(BY_KEY["authToken"]).endswith("[PI_PROXY_AUTH_TOKEN]")


def test_values_for_people() -> None:
    """Empty things read as none."""
    values: list[Value] = [True, (), ("a", "b"), "", 4141, 0.5, {"a": "b", "c": False}, {}]
    assert [shown(value) for value in values] == [
        "true",
        "none",
        "a, b",
        "none",
        "4141",
        "0.5",
        "a=b, c=false",
        "none",
    ]
    assert allowed(BY_KEY["customModels"]) == "list of strings"
