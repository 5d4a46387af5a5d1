"""The shape of models.json (pi-on-disk.md, 5.2), and the list of what a document does not keep of it.

Unknown keys are allowed everywhere and ``compat`` is carried as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from piproxy.jsontext import Json
from piproxy.thinking import LEVELS

Fault: TypeAlias = tuple[tuple[str, ...], str]
"""Path of keys and indexes, and what is wrong there."""
Shape: TypeAlias = Callable[[Json, tuple[str, ...]], Iterator[Fault]]


def faults(document: Json) -> list[Fault]:
    """Everything in the document that pi would refuse, in the document's order."""
    return list(_ROOT(document, ()))


def _leaf(says: str, test: Callable[[Json], bool]) -> Shape:
    def check(value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
        if not test(value):
            yield path, says

    return check


def _list(item: Shape) -> Shape:
    def check(value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
        if not isinstance(value, list):
            yield path, "must be array"
            return
        for index, member in enumerate(value):
            yield from item(member, (*path, str(index)))

    return check


def _map(item: Shape) -> Shape:
    def check(value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield path, "must be object"
            return
        for key, member in value.items():
            yield from item(member, (*path, key))

    return check


def _object(members: Mapping[str, Shape], *required: str) -> Shape:
    def check(value: Json, path: tuple[str, ...]) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield path, "must be object"
            return
        for key in required:
            if key not in value:
                yield (*path, key), "is required"
        for key, shape in members.items():
            if key in value:
                yield from shape(value[key], (*path, key))

    return check


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Json) -> bool:
    return _is_number(value) and float(value).is_integer() and value >= 1


_TEXT: Final = _leaf("must be string", lambda value: isinstance(value, str))
_NAME: Final = _leaf("must be a string that is not empty", lambda value: isinstance(value, str) and value != "")
_LEVEL: Final = _leaf("must be string or null", lambda value: value is None or isinstance(value, str))
_FLAG: Final = _leaf("must be boolean", lambda value: isinstance(value, bool))
_NUMBER: Final = _leaf("must be number", _is_number)
_ABOVE_ZERO: Final = _leaf("must be a number above 0", lambda value: _is_number(value) and value > 0)
_COUNT: Final = _leaf("must be an integer of at least 1", _is_count)
_QUALITY: Final = _leaf("must be an integer from 1 to 100", lambda value: _is_count(value) and value <= 100)
_ANY: Final = _leaf("", lambda _: True)
_RADIUS: Final = _leaf('must be "radius"', lambda value: value == "radius")
_MODALITY: Final = _leaf('must be "text" or "image"', lambda value: value in ("text", "image"))

_RATES: Final = {"input": _NUMBER, "output": _NUMBER, "cacheRead": _NUMBER, "cacheWrite": _NUMBER}
_TIER: Final = _object({"inputTokensAbove": _NUMBER, **_RATES}, "inputTokensAbove", *_RATES)
_COST: Final = _object({**_RATES, "tiers": _list(_TIER)}, *_RATES)
_PART_OF_COST: Final = _object({**_RATES, "tiers": _list(_TIER)})
_RESIZE: Final = _object({"maxWidth": _COUNT, "maxHeight": _COUNT, "maxBytes": _COUNT, "jpegQuality": _QUALITY})
_IMAGES: Final = _object({"maxPerMessage": _COUNT, "maxPerRequest": _COUNT, "resize": _RESIZE})
_OPEN: Final = _map(_ANY)

_ABILITIES: Final[Mapping[str, Shape]] = {
    "name": _NAME,
    "reasoning": _FLAG,
    "thinkingLevelMap": _object(dict.fromkeys(LEVELS, _LEVEL)),
    "input": _list(_MODALITY),
    "inputLimits": _object({"maxRequestBytes": _COUNT, "images": _IMAGES}),
    "promptCache": _object({"short": _ABOVE_ZERO, "long": _ABOVE_ZERO}),
    "contextWindow": _ABOVE_ZERO,
    "maxTokens": _ABOVE_ZERO,
    "samplingParams": _OPEN,
    "samplingParamsByThinkingLevel": _object(dict.fromkeys(LEVELS, _OPEN)),
    "headers": _map(_TEXT),
    "compat": _OPEN,
}
_MODEL: Final = _object({"id": _NAME, "api": _NAME, "baseUrl": _NAME, "cost": _COST, **_ABILITIES}, "id")
_OVERRIDE: Final = _object({"cost": _PART_OF_COST, **_ABILITIES})
_PROVIDER: Final = _object(
    {
        "name": _NAME,
        "baseUrl": _NAME,
        "apiKey": _NAME,
        "api": _NAME,
        "oauth": _RADIUS,
        "headers": _map(_TEXT),
        "compat": _OPEN,
        "authHeader": _FLAG,
        "models": _list(_MODEL),
        "modelOverrides": _map(_OVERRIDE),
    }
)
_ROOT: Final = _object({"$schema": _TEXT, "providers": _map(_PROVIDER)}, "providers")
