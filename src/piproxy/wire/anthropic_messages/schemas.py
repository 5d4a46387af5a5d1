"""JSON schemas as Anthropic takes them (wire-native-apis.md, 2.7).

Three places, three rules. A tool's ``input_schema`` goes through as it is, but its root must be an object without
combinators. A *strict* tool must already have the shape that Anthropic compiles: it is checked, never rewritten. An
output format is compiled too; there the rules of Anthropic's own SDKs are followed: objects are closed, ``oneOf``
becomes ``anyOf``, and a keyword that cannot be compiled moves into the description, where the model still reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from piproxy.jsontext import Json, dump

_COMBINATORS: Final = ("anyOf", "oneOf", "allOf")
_FORMATS: Final = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
_BOUNDS: Final = frozenset(
    (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minContains",
        "maxContains",
        "minProperties",
        "maxProperties",
    )
)
_NOT_STRICT: Final = _BOUNDS | {"$ref", "oneOf", "allOf", "not", "if", "patternProperties", "prefixItems"}
_SAYS: Final = frozenset(("type", "enum", "const", "anyOf", "allOf", "$ref"))
_BY_NAME: Final = ("properties", "$defs", "definitions", "patternProperties")
_NOTES: Final = ("description", "title")


def input_schema(parameters: Json) -> dict[str, Json]:
    """A tool's schema: the client's own, its root forced to be an object, root combinators removed (they are a 400)."""
    given = parameters if isinstance(parameters, dict) else {}
    schema = {key: value for key, value in given.items() if key not in _COMBINATORS}
    schema["type"] = "object"
    if not isinstance(schema.get("properties"), dict):
        schema["properties"] = {}
    return schema


def qualifies_for_strict(parameters: Json) -> bool:
    """Whether Anthropic compiles the schema as it is: closed objects, all properties required, no exotic keyword."""
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        return False
    return all(map(_strict_node, _nodes(parameters))) and not any(key in parameters for key in _COMBINATORS)


def union_parameters(parameters: Json) -> int:
    """How many of a strict tool's parameters are unions (Anthropic allows 16 in a request)."""
    return sum("anyOf" in node or isinstance(node.get("type"), list) for node in _nodes(parameters))


def compiles(schema: Json) -> bool:
    """Whether :func:`output_schema` gives something that Anthropic compiles and that still means the same: no node that
    allows anything, no map, no recursion.
    """
    sent = output_schema(schema)
    if not isinstance(sent, dict) or any(map(_is_map, _nodes(schema))):
        return False
    return all(map(_typed, _nodes(sent))) and not _recursive(sent)


def _recursive(schema: Mapping[str, Json]) -> bool:
    """Whether a definition needs itself."""
    named = {
        f"#/{place}/{name}": set(_references(inner))
        for place in ("$defs", "definitions")
        for name, inner in schema.get(place, {}).items()
    }
    while named:
        leaves = {name for name, needs in named.items() if not needs & named.keys()}
        if not leaves:
            return True
        named = {name: needs for name, needs in named.items() if name not in leaves}
    return "#" in _references(schema)


def _references(schema: Json) -> Iterator[str]:
    return (node["$ref"] for node in _nodes(schema) if isinstance(node.get("$ref"), str))


def output_schema(schema: Json) -> Json:
    """A schema for ``output_config.format``."""
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Json] = {
        key: _by_name(schema[key]) for key in ("$defs", "definitions") if isinstance(schema.get(key), dict)
    }
    if isinstance(schema.get("$ref"), str):
        return {**closed, "$ref": schema["$ref"]}
    left = {key: value for key, value in schema.items() if key not in (*closed, "$schema")}
    closed.update((key, left.pop(key)) for key in _NOTES if isinstance(left.get(key), str))
    closed.update((key, left.pop(key)) for key in ("enum", "const") if key in left and _literal(left[key]))
    variants = next((key for key in _COMBINATORS if isinstance(left.get(key), list)), None)
    if variants is not None:
        kept = "allOf" if variants == "allOf" else "anyOf"
        closed[kept] = [output_schema(variant) for variant in left.pop(variants)]
    kind = left.pop("type", None)
    if kind is None and variants is None and not {"enum", "const"} & closed.keys():
        kind = _guess(left)
    if kind is not None:
        closed["type"] = kind
    kinds = kind if isinstance(kind, list) else [kind]
    if "object" in kinds:
        _close(left, closed)
    if "array" in kinds:
        if "items" in left:
            closed["items"] = output_schema(left.pop("items"))
        if left.get("minItems") in (0, 1):
            closed["minItems"] = left.pop("minItems")
    if "string" in kinds and left.get("format") in _FORMATS:
        closed["format"] = left.pop("format")
    if left:
        words = "{" + ", ".join(f"{key}: {_words(value)}" for key, value in left.items()) + "}"
        closed["description"] = f"{closed['description']}\n\n{words}" if "description" in closed else words
    return closed


def _close(left: dict[str, Json], closed: dict[str, Json]) -> None:
    properties = left.pop("properties", None)
    closed["properties"] = _by_name(properties) if isinstance(properties, dict) else {}
    if left.get("additionalProperties") in (False, True, None):
        left.pop("additionalProperties", None)
    closed["additionalProperties"] = False
    if "required" in left:
        closed["required"] = left.pop("required")


def _by_name(schemas: Mapping[str, Json]) -> dict[str, Json]:
    return {name: output_schema(schema) for name, schema in schemas.items()}


def _literal(value: Json) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(item is None or isinstance(item, str | int | float) for item in values)


def _guess(left: Mapping[str, Json]) -> str | None:
    """The type that an untyped node means; a node without any hint stays untyped."""
    if "properties" in left or "additionalProperties" in left or "required" in left:
        return "object"
    return "array" if "items" in left else None


def _words(value: Json) -> str:
    return value if isinstance(value, str) else dump(value).decode()


def _nodes(schema: Json) -> Iterator[Mapping[str, Json]]:
    """Every schema in a schema that is an object, itself first."""
    if isinstance(schema, dict):
        yield schema
        for inner in _inner(schema):
            yield from _nodes(inner)


def _inner(schema: Mapping[str, Json]) -> Iterator[Json]:
    """The schemas right below one; not the values of ``enum``, ``const``, ``default`` and the like."""
    for key, value in schema.items():
        if key in _BY_NAME and isinstance(value, dict):
            yield from value.values()
        elif key in (*_COMBINATORS, "prefixItems") and isinstance(value, list):
            yield from value
        elif key in ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"):
            yield value


def _typed(node: Mapping[str, Json]) -> bool:
    """The node, and every schema right below it, says what it describes: ``true`` and ``{}`` are not compiled."""
    below = _inner({key: value for key, value in node.items() if key != "additionalProperties"})
    return not _SAYS.isdisjoint(node) and all(isinstance(inner, dict) for inner in below)


def _is_map(node: Mapping[str, Json]) -> bool:
    """An object whose members have no fixed names: closing it would leave nothing."""
    more = node.get("additionalProperties")
    if "patternProperties" in node or more is True or isinstance(more, dict):
        return True
    return node.get("type") == "object" and more is None and not node.get("properties")


def _strict_node(node: Mapping[str, Json]) -> bool:
    if not _typed(node) or _NOT_STRICT & node.keys() or node.get("minItems", 0) not in (0, 1):
        return False
    if "format" in node and node["format"] not in _FORMATS:
        return False
    kind = node.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        properties = node.get("properties")
        names = set(properties) if isinstance(properties, dict) else set()
        required = node.get("required")
        return node.get("additionalProperties") is False and names == set(
            required if isinstance(required, list) else ()
        )
    return True
