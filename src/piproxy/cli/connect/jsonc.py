"""JSON with comments and trailing commas, changed in one place with everything else left as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from piproxy.jsontext import Json

_SPACE: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCALAR: Final = re.compile(r"-?[0-9][0-9eE+.\-]*|true|false|null")
_INDENT: Final = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class NotJsonc(ValueError):
    """The text is not JSON, even with comments; the message says where."""


@dataclass(slots=True)
class _Node:
    value: Json
    start: int
    end: int
    members: dict[str, _Member] = field(default_factory=dict)
    """Of an object; where a key is twice, the last one counts."""
    last: int | None = None
    """The end of the last member's value."""
    comma: int | None = None
    """Behind a trailing comma."""


@dataclass(slots=True)
class _Member:
    key: int
    node: _Node


def loads(text: str) -> Json:
    """The value; nothing is an empty object. Raises :class:`NotJsonc`."""
    return _parse(text).value if text.strip("\ufeff \t\r\n") else {}


def set_path(text: str, path: Sequence[str], value: Json) -> str:
    """Put ``value`` at ``path``; objects on the way are made where they are missing. Raises :class:`NotJsonc`."""
    if not text.strip("\ufeff \t\r\n"):
        text = "{}\n"
    found = _INDENT.search(text)
    unit = "\t" if found and "\t" in found[1] else found[1] if found else "  "
    node = _parse(text)
    if not isinstance(node.value, dict):
        raise NotJsonc("the whole must be an object")
    for depth, key in enumerate(path):
        rest = list(path[depth + 1 :])
        member = node.members.get(key)
        if member is None:
            return _insert(text, node, key, _nested(rest, value), unit)
        if not rest or not isinstance(member.node.value, dict):
            new = _dumped(_nested(rest, value), unit, _indent_at(text, member.key))
            return text[: member.node.start] + new + text[member.node.end :]
        node = member.node
    return text


def _insert(text: str, node: _Node, key: str, value: Json, unit: str) -> str:
    outer = _indent_at(text, node.start)
    first = min((member.key for member in node.members.values()), default=None)
    inner = _indent_at(text, first) if first is not None and text[:first].endswith(("\n", " ", "\t")) else outer + unit
    inner = inner if len(inner) > len(outer) else outer + unit
    new = f"{json.dumps(key, ensure_ascii=False)}: {_dumped(value, unit, inner)}"
    if node.last is None:
        inside = text[node.start + 1 : node.end - 1].rstrip()
        return f"{text[: node.start + 1]}{inside}\n{inner}{new}\n{outer}{text[node.end - 1 :]}"
    at = node.last if node.comma is None else node.comma
    comma = "," if node.comma is None else ""
    # A comment at the end of the line belongs to the member before.
    line = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/)?[ \t]*(?=\r?\n)").match(text, at)
    end = line.end() if line else at
    close = "" if text[end:].lstrip(" \t").startswith(("\n", "\r")) else f"\n{outer}"
    trailing = "," if node.comma is not None else ""
    return f"{text[:at]}{comma}{text[at:end]}\n{inner}{new}{trailing}{close}{text[end:]}"


def _nested(path: Sequence[str], value: Json) -> Json:
    for key in reversed(path):
        value = {key: value}
    return value


def _dumped(value: Json, unit: str, indent: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", f"\n{indent}")


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _parse(text: str) -> _Node:
    node = _value(text, _skip(text, 1 if text.startswith("\ufeff") else 0))
    end = _skip(text, node.end)
    if end != len(text):
        raise _trouble(text, end)
    return node


def _value(text: str, at: int) -> _Node:
    if text[at : at + 1] == "{":
        return _object(text, at)
    if text[at : at + 1] == "[":
        return _array(text, at)
    found = _STRING.match(text, at) or _SCALAR.match(text, at)
    if found is None:
        raise _trouble(text, at)
    try:
        return _Node(json.loads(found[0], strict=False), at, found.end())
    except ValueError:
        raise _trouble(text, at) from None


def _object(text: str, start: int) -> _Node:
    node = _Node({}, start, start)
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        key = _STRING.match(text, at)
        if key is None:
            raise _trouble(text, at)
        colon = _skip(text, key.end())
        if text[colon : colon + 1] != ":":
            raise _trouble(text, colon)
        inner = _value(text, _skip(text, colon + 1))
        name = json.loads(key[0], strict=False)
        node.members[name] = _Member(at, inner)
        node.value[name] = inner.value
        node.last = inner.end
        at, node.comma = _after(text, inner.end, "}")
    node.end = at + 1
    return node


def _array(text: str, start: int) -> _Node:
    values = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        inner = _value(text, at)
        values.append(inner.value)
        at, _ = _after(text, inner.end, "]")
    return _Node(values, start, at + 1)


def _after(text: str, end: int, close: str) -> tuple[int, int | None]:
    """Where the next member or the end is, and where a trailing comma ends."""
    at = _skip(text, end)
    if text[at : at + 1] == ",":
        behind = at + 1
        at = _skip(text, behind)
        return at, behind if text[at : at + 1] == close else None
    if text[at : at + 1] != close:
        raise _trouble(text, at)
    return at, None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _trouble(text: str, at: int) -> NotJsonc:
    return NotJsonc(f"line {text.count(chr(10), 0, at) + 1} is not JSON")
