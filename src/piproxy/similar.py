"""A word for who mistyped: what there is that looks like it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from heapq import nlargest
from itertools import pairwise
from typing import Final

_FEW: Final = 40
"""Names that are compared thoroughly, each of which takes some 50 µs."""


def similar(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The most similar first, ``most`` at most, whatever the case of their letters; often nothing."""
    by_letters = {name.lower(): name for name in known}
    asked = word.lower()
    likely: Iterable[str] = by_letters
    if len(by_letters) > _FEW:
        pairs = {first + second for first, second in pairwise(asked)}
        likely = nlargest(_FEW, by_letters, key=lambda name: sum(map(name.count, pairs)) / (len(asked) + len(name)))
    return [by_letters[match] for match in get_close_matches(asked, likely, n=most)]
