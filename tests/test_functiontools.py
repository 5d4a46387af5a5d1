"""Free-text tools, odd arguments and JSON answers for APIs that know only functions."""

from __future__ import annotations

import pytest

from piproxy import functiontools
from piproxy.chat import ResponseFormat, Tool, ToolCall, ToolChoice
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json, dump


@pytest.mark.parametrize(
    ("text", "custom", "given"),
    [
        ('{"a": 1}', False, {"a": 1}),
        ("", False, {}),
        (" \n", False, {}),
        ("null", False, {"input": None}),
        ('"text"', False, {"input": "text"}),
        ('{"a": 1', False, {"input": '{"a": 1'}),
        ("[" * 100_000, False, {"input": "[" * 100_000}),
        ('{"a": 1}', True, {"input": '{"a": 1}'}),
    ],
)
def test_arguments_become_an_object_and_nothing_is_lost(text: str, custom: bool, given: Json) -> None:
    """An object stays what it is; everything else, and the text of a custom tool, is its ``input``."""
    assert functiontools.arguments(ToolCall("id", "f", text, custom=custom)) == given


@pytest.mark.parametrize("text", ["", "a\nb", '{"input": "nested"}', '"'])
def test_free_text_survives_the_round_trip(text: str) -> None:
    """What goes in as an object comes out as the text."""
    carried = functiontools.arguments(ToolCall("id", "f", text, custom=True))
    assert functiontools.free_text(dump(carried).decode()) == text


@pytest.mark.parametrize("text", ['{"input": "cut o', '{"other": 1}', "[]", '{"input": 7}'])
def test_arguments_that_hold_no_text_are_given_as_they_are(text: str) -> None:
    """A model that did not keep to the schema is not silenced."""
    assert functiontools.free_text(text) == text


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ("f", "g")),
        (ToolChoice("none"), ("f", "g")),
        (ToolChoice("named", ("g",)), ("g",)),
        (ToolChoice("auto", ("g", "f")), ("f", "g")),
    ],
)
def test_allowed_tools_keep_their_order(choice: ToolChoice | None, names: tuple[str, ...]) -> None:
    """A choice among names leaves only these."""
    assert tuple(tool.name for tool in functiontools.allowed((Tool("f"), Tool("g")), choice)) == names


def test_a_choice_of_an_unknown_tool_is_the_clients_error() -> None:
    """It names the tool and ``tool_choice``."""
    with pytest.raises(InvalidRequest, match="'h'") as error:
        functiontools.allowed((Tool("f"),), ToolChoice("required", ("f", "h")))
    assert error.value.param == "tool_choice"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_grammar_is_told_in_the_description(wrapped: bool) -> None:
    """Both shapes of a custom tool's format are known; a format without rules adds nothing."""
    rules = {"syntax": "regex", "definition": "[a-z]+"}
    form = {"type": "grammar", "grammar": rules} if wrapped else {"type": "grammar", **rules}
    told = functiontools.description(Tool("f", "It does.", custom=True, format=form))
    assert told == "It does.\n\nThe input must follow this regex grammar:\n[a-z]+"
    assert functiontools.description(Tool("f", custom=True, format=form)).startswith("The input must")
    assert functiontools.description(Tool("f", "It does.", custom=True, format={"type": "text"})) == "It does."
    assert functiontools.description(Tool("f")) == ""


def test_a_json_answer_in_words() -> None:
    """The schema and its description are told; without a schema any object will do."""
    assert functiontools.instruction(ResponseFormat("json_object")) == functiontools.JSON_OBJECT
    assert functiontools.instruction(ResponseFormat("json_schema")) == functiontools.JSON_OBJECT
    told = functiontools.instruction(ResponseFormat("json_schema", "n", "A colour.", {"enum": ["rot", "grün"]}))
    assert told.startswith("A colour.\n\n")
    assert told.endswith('{"enum":["rot","grün"]}')
