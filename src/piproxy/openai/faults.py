"""From pydantic's account of a fault to OpenAI's: one sentence, a bracketed path in ``param``, a code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json

Path = tuple[str | int, ...]

_LONGEST: Final = 500

_WANTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def bracketed(path: Sequence[str | int]) -> str:
    """``("messages", 2, "content")`` as ``messages[2].content``; a client's own long names are cut."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step[:64]}" if text else step[:64]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def json_type(value: Json) -> str:
    """What JSON calls a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def invalid(path: Sequence[str | int], reason: str, *, code: str = "invalid_value") -> InvalidRequest:
    """An ``InvalidRequest`` about the value at ``path``; ``reason`` is a full sentence."""
    where = bracketed(path)
    return InvalidRequest(f"Invalid value for '{where}': {reason}", param=where, code=code)


def missing(path: Sequence[str | int]) -> InvalidRequest:
    where = bracketed(path)
    return InvalidRequest(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")


def from_validation(error: ValidationError, body: Json) -> InvalidRequest:
    """The first fault, at the deepest place that it is known for (pydantic reports every branch of a union)."""
    faults = [(_walk(fault, body), fault) for fault in error.errors(include_url=False)]
    first = faults[0][0]
    deepest = max((path for path, _ in faults if path[: len(first)] == first), key=len)
    here = [fault for path, fault in faults if path == deepest]
    return _describe(deepest, here)


def _walk(fault: ErrorDetails, body: Json) -> Path:
    """pydantic's location without the names of union branches: only steps that the body really has."""
    path: list[str | int] = []
    at = body
    steps = fault["loc"]
    for number, step in enumerate(steps):
        if _has(at, step):
            at = at[step]
        elif not (fault["type"] == "missing" and number == len(steps) - 1):
            continue
        path.append(step)
    return tuple(path)


def _has(at: Json, step: str | int) -> bool:
    if isinstance(at, dict):
        return step in at
    return isinstance(at, list) and isinstance(step, int) and step < len(at)


def _describe(path: Path, faults: list[ErrorDetails]) -> InvalidRequest:
    fault = faults[0]
    kind = fault["type"]
    context = fault.get("ctx", {})
    if kind == "missing":
        return missing(path)
    if kind == "union_tag_invalid" and context.get("tag") == "function" and path[:1] == ("messages",):
        return invalid((*path, "role"), "the role 'function' is deprecated; send a message with the role 'tool'.")
    if kind == "union_tag_not_found":
        return missing((*path, str(context["discriminator"]).strip("'")))
    if kind == "union_tag_invalid":
        return invalid(
            (*path, str(context["discriminator"]).strip("'")), f"supported values are {context['expected_tags']}."
        )
    kinds = [other["type"] for other in faults]
    literal = next((other for other in faults if other["type"] == "literal_error"), None)
    if literal is not None and (len(faults) == 1 or isinstance(fault["input"], str)):
        return invalid(path, f"supported values are {literal.get('ctx', {})['expected']}.")
    if any(other in _WANTED for other in kinds):
        wanted = dict.fromkeys("a string" if other == "literal_error" else _WANTED[other] for other in kinds)
        if "a number" in wanted:
            wanted.pop("an integer", None)
        got = json_type(fault["input"])
        where = bracketed(path) or "body"
        return InvalidRequest(
            f"Invalid type for '{where}': expected {' or '.join(wanted)}, but got {got} instead.",
            param=bracketed(path) or None,
            code="invalid_type",
        )
    return invalid(path, _range(kind, context), code=_RANGE_CODES.get(kind, "invalid_value"))


_RANGE_CODES: Final = {
    "greater_than_equal": "below_min_value",
    "less_than_equal": "above_max_value",
    "too_short": "empty_array",
    "string_too_short": "empty_string",
}


def _range(kind: str, context: dict[str, Json]) -> str:
    match kind:
        case "greater_than_equal":
            return f"it must be at least {context['ge']:g}."
        case "less_than_equal":
            return f"it must be at most {context['le']:g}."
        case "too_short":
            return "it must not be an empty array."
        case "string_too_short":
            return "it must not be an empty string."
        case _:
            return "it cannot be read."
