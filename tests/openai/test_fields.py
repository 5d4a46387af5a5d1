"""The table of request fields."""

from __future__ import annotations

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from piproxy.openai import fields, schema
from piproxy.openai.fields import APIS, FIELDS


def test_every_field_of_the_reference_is_in_the_table() -> None:
    """OpenAI's fields are the table's standard ones, no more and no fewer."""
    reference = CompletionCreateParamsNonStreaming.__annotations__ | CompletionCreateParamsStreaming.__annotations__
    for base in (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming):
        for kind in getattr(base, "__orig_bases__", ()):
            reference |= getattr(kind, "__annotations__", {})
    assert {field.name for field in FIELDS.values() if field.standard} == set(reference)


def test_every_field_that_is_carried_has_a_shape() -> None:
    """What the table carries, the schema checks."""
    carried = {name for name, field in FIELDS.items() if field.kind == "carry"}
    assert carried <= set(schema.Request.model_fields)
    assert set(schema.Request.model_fields) <= set(FIELDS)


@pytest.mark.parametrize("field", FIELDS.values(), ids=str)
def test_every_field_says_what_becomes_of_it(field: fields.Field) -> None:
    """One word per API, and a hint where it is refused."""
    words = {field.disposition(api) for api in (*APIS, "google-vertex")}
    assert words <= {"forwarded", "translated", "skipped", "refused", "no-op only"}
    if field.kind != "carry":
        assert field.hint
        assert words == {"no-op only"}


@pytest.mark.parametrize(
    ("name", "value", "nothing"),
    [
        ("n", 1, True),
        ("n", True, False),
        ("n", 1.0, False),
        ("logprobs", False, True),
        ("logprobs", 0, False),
        ("seed", None, True),
        ("seed", 0, False),
        ("frequency_penalty", 0, True),
        ("frequency_penalty", 0.0, True),
        ("frequency_penalty", False, False),
        ("modalities", ["text"], True),
        ("modalities", ["text", "audio"], False),
    ],
)
def test_values_that_change_nothing(name: str, value: object, nothing: bool) -> None:
    """Compared with their JSON type: ``true`` is not ``1``."""
    assert FIELDS[name].changes_nothing(value) is nothing


def test_the_table_is_markdown() -> None:
    """One line per field, one column per API and one for remarks."""
    lines = fields.markdown().splitlines()
    assert len(lines) == len(FIELDS) + 2
    assert {line.count("|") for line in lines} == {len(APIS) + 3}
    prediction = f"| `prediction` | forwarded {'| skipped ' * 3}| forwarded {'| skipped ' * 4}|  |"
    assert prediction in lines
    (n,) = [line for line in lines if line.startswith("| `n` |")]
    assert n.endswith("| an answer has one choice; changes nothing: `1` |")
