"""Tools, tool choice and the form of the answer, checked against botocore's model of the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from fakes.botocore_model import complaints

from piproxy.chat import AssistantMessage, Chat, ResponseFormat, Tool, ToolCall, ToolChoice, ToolMessage, UserMessage
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json, parse
from piproxy.model import Model
from piproxy.wire.bedrock_converse.tools import Tooling, compiles, tooling_for

MODEL: Final = Model(provider="p", id="m", api="bedrock-converse-stream", base_url="")
STRICT: Final = replace(MODEL, compat={"supportsStrictMode": True})
CLOSED: Final = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN: Final = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/x"}},
    "$defs": {"x": {"oneOf": [{"type": "null"}]}},
}
PAST: Final = (
    UserMessage("q"),
    AssistantMessage(None, (ToolCall("1", "old", "{}"), ToolCall("2", "older", "{}"))),
    ToolMessage("r", "1"),
    ToolMessage("r", "2"),
    UserMessage("next"),
)


def chat(
    *tools: Tool, choice: ToolChoice | None = None, past: bool = False, form: ResponseFormat | None = None
) -> Chat:
    messages = PAST if past else (UserMessage("q"),)
    return Chat(model="m", messages=messages, tools=tools, tool_choice=choice, response_format=form)


def tooling(given: Chat, model: Model = MODEL, *, marks: bool = False) -> Tooling:
    made = tooling_for(given, model, marks=marks)
    members = {"toolConfig": made.config, "outputConfig": made.output}
    assert complaints({name: value for name, value in members.items() if value}) == ""
    return made


def specs(made: Tooling) -> list[Json]:
    assert made.config is not None
    return [tool["toolSpec"] for tool in made.config["tools"]]


@pytest.mark.parametrize("schema", [CLOSED, OPEN, {"type": "object", "anyOf": [{"required": ["a"]}]}])
def test_schemas_are_not_rewritten(schema: Json) -> None:
    """What the client wrote is what the model reads."""
    made = tooling(chat(Tool("f", "It does.", schema)))
    assert specs(made) == [{"name": "f", "description": "It does.", "inputSchema": {"json": schema}}]


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": True}}, {"type": "object", "properties": {"a": True}}),
    ],
)
def test_the_root_says_that_it_is_an_object(schema: Json, sent: Json) -> None:
    """Bedrock insists on it."""
    assert specs(tooling(chat(Tool("f", "F.", schema))))[0]["inputSchema"]["json"] == sent


@pytest.mark.parametrize("told", [None, "", " "])
def test_an_empty_description_is_left_out(told: str | None) -> None:
    """It would be refused."""
    assert "description" not in specs(tooling(chat(Tool("f", told))))[0]


@pytest.mark.parametrize(
    ("choice", "wire", "names"),
    [
        (None, None, ["f", "g"]),
        (ToolChoice("auto"), {"auto": {}}, ["f", "g"]),
        (ToolChoice("required"), {"any": {}}, ["f", "g"]),
        (ToolChoice("named", ("g",)), {"tool": {"name": "g"}}, ["f", "g"]),
        (ToolChoice("auto", ("f",)), {"auto": {}}, ["f"]),
        (ToolChoice("required", ("f", "g")), {"any": {}}, ["f", "g"]),
    ],
)
def test_tool_choice(choice: ToolChoice | None, wire: Json, names: list[str]) -> None:
    """Of ``allowed_tools`` only these are sent; a named tool stands among all."""
    made = tooling(chat(Tool("f"), Tool("g"), choice=choice))
    assert made.config is not None
    assert made.config.get("toolChoice") == wire
    assert [spec["name"] for spec in specs(made)] == names


def test_none_drops_the_tools() -> None:
    """There is no such choice, so there are no tools."""
    assert tooling(chat(Tool("f"), choice=ToolChoice("none"))) == Tooling()


def test_none_keeps_the_tools_of_a_history_with_calls() -> None:
    """Bedrock refuses such a history without a tool config, so the model is asked not to call."""
    made = tooling(chat(Tool("f"), choice=ToolChoice("none"), past=True))
    assert [spec["name"] for spec in specs(made)] == ["f"]
    assert made.config is not None
    assert "toolChoice" not in made.config
    assert made.wishes == ("Do not call any tool in this answer.",)


def test_a_history_with_calls_gets_a_tool_config() -> None:
    """Each name that was called is declared, with any object as its input."""
    made = tooling(chat(past=True))
    empty = {"json": {"type": "object", "properties": {}}}
    assert specs(made) == [{"name": "old", "inputSchema": empty}, {"name": "older", "inputSchema": empty}]
    assert len(made.wishes) == 1


def test_a_choice_of_an_unknown_tool_is_the_clients_error() -> None:
    """It names ``tool_choice``."""
    with pytest.raises(InvalidRequest) as error:
        tooling(chat(Tool("f"), choice=ToolChoice("named", ("g",))))
    assert error.value.param == "tool_choice"


def test_strict_is_sent_where_it_can_be_kept() -> None:
    """The model must have the mode and the schema must compile; else the client hears that it was left out."""
    kept = tooling(chat(Tool("f", "F.", CLOSED, strict=True)), STRICT)
    assert specs(kept)[0]["strict"] is True
    assert kept.dropped == ()
    for made in (
        tooling(chat(Tool("f", "F.", CLOSED, strict=True))),
        tooling(chat(Tool("f", "F.", OPEN, strict=True)), STRICT),
    ):
        assert "strict" not in specs(made)[0]
        assert made.dropped == ("tools.strict",)


def test_a_free_text_tool_is_a_function_with_one_text() -> None:
    """Its input comes inside an object."""
    (spec,) = specs(tooling(chat(Tool("patch", custom=True))))
    assert spec["inputSchema"]["json"]["required"] == ["input"]


def test_a_marked_tool_is_followed_by_a_cache_point() -> None:
    """Where the model takes them."""
    marked = chat(Tool("f", cache_control={"type": "ephemeral"}), Tool("g"))
    made = tooling(marked, marks=True)
    assert made.config is not None
    assert [next(iter(entry)) for entry in made.config["tools"]] == ["toolSpec", "cachePoint", "toolSpec"]
    assert len(specs(tooling(marked))) == 2


def test_json_schema_is_native_where_the_model_has_strict_mode() -> None:
    """The schema travels as text."""
    form = ResponseFormat("json_schema", "answer", "The answer.", CLOSED)
    made = tooling(chat(form=form), STRICT)
    assert made.output is not None
    definition = made.output["textFormat"]["structure"]["jsonSchema"]
    assert parse(definition.pop("schema")) == CLOSED
    assert definition == {"name": "answer", "description": "The answer."}
    assert made.wishes == ()


@pytest.mark.parametrize(
    ("form", "model"),
    [
        (ResponseFormat("json_object"), STRICT),
        (ResponseFormat("json_schema", "a", None, CLOSED), MODEL),
        (ResponseFormat("json_schema", "a", None, OPEN), STRICT),
    ],
)
def test_other_json_answers_are_asked_for_in_words(form: ResponseFormat, model: Model) -> None:
    """No model is left without the wish."""
    made = tooling(chat(form=form), model)
    assert made.output is None
    (wish,) = made.wishes
    assert "JSON" in wish
    assert form.schema is None or '"properties"' in wish


@pytest.mark.parametrize(
    ("schema", "fine"),
    [
        (CLOSED, True),
        ({"$ref": "#/$defs/x", "$defs": {"x": CLOSED}}, True),
        ({"type": "array", "items": CLOSED, "minItems": 1}, True),
        ({"anyOf": [CLOSED, {"type": "null"}]}, True),
        (OPEN, False),
        ({"type": ["object", "null"], "properties": {}}, False),
        ({"type": "integer", "minimum": 0}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"type": "array", "minItems": 2}, False),
        ({**CLOSED, "properties": {"a": {"oneOf": []}}}, False),
        ("nonsense", False),
    ],
)
def test_which_schemas_compile(schema: Json, fine: bool) -> None:
    """Closed objects all the way down, and no keyword that the grammar compiler refuses."""
    assert compiles(schema) is fine
