"""The part of the npm package minimatch that pi's model patterns use (pi-on-disk.md, 9.1), case-insensitive.

``*`` and ``?`` never cross a ``/``; ``**`` as a whole segment does; ``[a-z]``, ``[!x]``, ``{a,b}`` and ``{1..3}``
work; a leading ``!`` turns the answer round; a leading ``#`` is a comment. A leading dot must be matched by a dot.
Extended globs (``+(a|b)``) are plain text here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_GLOBSTAR: Final = "**"
_MOST_BRANCHES: Final = 1000
_BRACE: Final = re.compile(r"(?<!\\)\{")
_RANGE: Final = re.compile(r"(-?\d+)\.\.(-?\d+)|([A-Za-z])\.\.([A-Za-z])")


def is_glob(pattern: str) -> bool:
    """pi treats the pattern as a glob, not as a model's name."""
    return any(mark in pattern for mark in "*?[")


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` matches, as ``minimatch(text, pattern, {nocase: true})`` answers."""
    if pattern.startswith("#"):
        return False
    bare = pattern.lstrip("!")
    negated = (len(pattern) - len(bare)) % 2 == 1
    segments = re.split("/+", text)
    found = any(_segments_match(compiled, segments) for compiled in _compiled(bare))
    return found != negated


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[tuple[re.Pattern[str] | None, ...], ...]:
    """Per brace branch, one expression per segment; ``None`` is ``**``."""
    return tuple(
        tuple(None if segment == _GLOBSTAR else _segment(segment) for segment in re.split("/+", branch))
        for branch in _braces(pattern)
    )


def _segments_match(patterns: Sequence[re.Pattern[str] | None], segments: Sequence[str]) -> bool:
    if not patterns:
        return not segments
    head, rest = patterns[0], patterns[1:]
    if head is not None:
        return bool(segments) and head.fullmatch(segments[0]) is not None and _segments_match(rest, segments[1:])
    for taken in range(len(segments) + 1):
        if taken and segments[taken - 1].startswith("."):
            return False
        if _segments_match(rest, segments[taken:]) and (rest or taken):
            return True
    return False


def _segment(text: str) -> re.Pattern[str]:
    if text and not text.strip("*"):
        return re.compile(r"(?!\.)[^/]+", re.IGNORECASE)
    source = "" if text[:1] not in ("*", "?", "[") else r"(?!\.)"
    at = 0
    while at < len(text):
        sign = text[at]
        at += 1
        if sign == "*":
            source += "" if source.endswith("[^/]*") else "[^/]*"
        elif sign == "?":
            source += "[^/]"
        elif sign == "[" and (found := _class(text, at)) is not None:
            piece, at = found
            source += piece
        elif sign == "\\" and at < len(text):
            source += re.escape(text[at])
            at += 1
        else:
            source += re.escape(sign)
    return re.compile(source, re.IGNORECASE)


def _class(text: str, start: int) -> tuple[str, int] | None:
    """The expression of a class whose inside begins at ``start``, and where it ends; ``None``: a plain ``[``."""
    negated = text[start : start + 1] in ("!", "^")
    begin = start + negated
    end = text.find("]", begin + 1)
    if end < 0:
        return None
    members = _members(text[begin:end])
    if not members:
        return ("[^/]" if negated else "(?!)"), end + 1
    return f"[{'^/' if negated else ''}{members}]", end + 1


def _members(inside: str) -> str:
    """The signs and ranges of a class, escaped; a range that runs backwards holds nothing."""
    members, at = "", 0
    while at < len(inside):
        first, dash, last = inside[at], inside[at + 1 : at + 2], inside[at + 2 : at + 3]
        if dash == "-" and last:
            members += f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""
            at += 3
        else:
            members += re.escape(first)
            at += 1
    return members


def _braces(pattern: str) -> list[str]:
    """``a{b,c}`` -> ``ab``, ``ac``; a brace without a comma or a range stays."""
    for brace in _BRACE.finditer(pattern):
        opened = brace.start()
        closed = _closing(pattern, opened)
        options = _options(pattern[opened + 1 : closed]) if closed > 0 else []
        if options:
            head, tail = pattern[:opened], pattern[closed + 1 :]
            inner = [piece for option in options for piece in _braces(option)]
            return [head + piece + rest for piece in inner for rest in _braces(tail)][:_MOST_BRANCHES]
    return [pattern]


def _closing(pattern: str, opened: int) -> int:
    depth = 0
    for at in range(opened, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[at], 0)
        if depth == 0:
            return at
    return -1


def _options(inside: str) -> list[str]:
    options, depth, begin = [], 0, 0
    for at, sign in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            options.append(inside[begin:at])
            begin = at + 1
    if options:
        return [*options, inside[begin:]]
    found = _RANGE.fullmatch(inside)
    if found is None:
        return []
    low, high, first, last = found.groups()
    a, b = (int(low), int(high)) if low is not None else (ord(first), ord(last))
    steps = range(a, b + 1) if a <= b else range(a, b - 1, -1)
    return [str(step) if low is not None else chr(step) for step in steps[:_MOST_BRANCHES]]
