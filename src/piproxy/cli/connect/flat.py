"""Files of one setting a line: ``.env``, and YAML as far as ``key: value`` and a marked block go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from piproxy.errors import ConfigError

BEGIN: Final = "# piproxy: these lines are written by `piproxy connect`"
END: Final = "# piproxy: end"


_COMMENT: Final = r"(?P<comment>[ \t]+#[^\n]*)?$"
_VALUE: Final = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#][^\n]*?|)"""
"""Of an old value: quoted, with any ``#``, or up to a comment."""


def set_env(text: str, values: Mapping[str, str]) -> str:
    """``NAME="value"`` lines replaced in their places, new ones at the end; ``export`` and comments stay."""
    for name, value in values.items():
        place = re.compile(rf"^(?P<head>(?:export[ \t]+)?{re.escape(name)}=){_VALUE}{_COMMENT}", re.MULTILINE)
        text = _set(text, place, f"{name}=", _env(value))
    return text


def set_yaml(text: str, values: Mapping[str, str]) -> str:
    """``name: "value"`` lines at the top level, replaced in their places, new ones at the end; comments stay.

    Raises :class:`~piproxy.errors.ConfigError` for a value of several lines.
    """
    for name, value in values.items():
        place = re.compile(rf"^(?P<head>{re.escape(name)}:)[ \t]*{_VALUE}{_COMMENT}", re.MULTILINE)
        found = place.search(text)
        if found and re.match(r"\n(?:[ \t]*\n)*(?:[ \t]+[^\s#]|- )", text[found.end() :]):
            raise ConfigError(f"`{name}:` goes over several lines; put its value on one line first.")
        text = _set(text, place, f"{name}:", f" {json.dumps(value)}")
    return text


def set_list(text: str, key: str, items: str) -> str:
    """The marked block of list items below ``key:`` at the top level, replaced or put first.

    ``items`` has no indentation at its ``- ``. Raises :class:`~piproxy.errors.ConfigError` for a list in another form.
    """
    block = re.compile(rf"^[ \t]*{re.escape(BEGIN)}\n.*?^[ \t]*{re.escape(END)}\n", re.MULTILINE | re.DOTALL)
    text = block.sub("", text)
    head = re.search(rf"^{re.escape(key)}:(.*)$", text, re.MULTILINE)
    if head is None:
        return f"{_ended(text)}{key}:\n{_block(items, '  ')}"
    if head[1].split("#")[0].strip() not in ("", "[]"):
        raise ConfigError(f"`{key}:` is written in one line; put its members on lines of their own first.")
    after = text[head.end() :].lstrip("\n")
    first = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*([ \t]*)-", after)
    line = head[0] if head[1].strip() != "[]" else f"{key}:"
    return f"{text[: head.start()]}{line}\n{_block(items, first[1] if first else '  ')}{after}"


def _block(items: str, indent: str) -> str:
    return "".join(f"{indent}{line}\n" for line in (BEGIN, *items.splitlines(), END))


def _set(text: str, place: re.Pattern[str], head: str, value: str) -> str:
    if place.search(text):
        return place.sub(lambda found: f"{found['head']}{value}{found['comment'] or ''}", text, count=1)
    return f"{_ended(text)}{head}{value}\n"


def _env(value: str) -> str:
    """As shells and dotenv read it; within single quotes a ``$`` is nothing but that."""
    return f"'{value}'" if re.search(r"[$`\\]", value) and "'" not in value else json.dumps(value)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
