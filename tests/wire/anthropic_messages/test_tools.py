"""Tools, tool choice and the form of the answer on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.claude import COPILOT, FIREWORKS, OTHER, SONNET_45, body, chat, request

from piproxy.chat import ResponseFormat, Tool, ToolChoice
from piproxy.errors import InvalidRequest
from piproxy.functiontools import JSON_OBJECT
from piproxy.wire.anthropic_messages.notes import Notes
from piproxy.wire.anthropic_messages.tools import FINE_GRAINED
from piproxy.wire.room import Options

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOK = Tool("look", "Looks.", SCHEMA)
RUN = Tool("Run", None, None)
WIRE_LOOK = {"name": "look", "description": "Looks.", "eager_input_streaming": True, "input_schema": SCHEMA}
WIRE_RUN = {"name": "Run", "eager_input_streaming": True, "input_schema": {"type": "object", "properties": {}}}


def notes(wire: Any) -> Notes:
    assert isinstance(wire.notes, Notes)
    return wire.notes


def test_tools_as_they_are() -> None:
    """Name, description and schema go through; a tool without parameters takes none."""
    assert body(chat(tools=(LOOK, RUN)))["tools"] == [WIRE_LOOK, WIRE_RUN]
    assert "tools" not in body(chat(tool_choice=ToolChoice("auto")))
    assert "tool_choice" not in body(chat(tool_choice=ToolChoice("auto")))


def test_endpoints_without_eager_streaming_get_the_beta() -> None:
    """Arguments should stream everywhere; the beta is sent only with tools."""
    wire = request(chat(tools=(LOOK,)), FIREWORKS)
    assert wire.headers["anthropic-beta"] == FINE_GRAINED
    assert "eager_input_streaming" not in body(chat(tools=(LOOK,)), FIREWORKS)["tools"][0]
    assert "anthropic-beta" not in request(chat(), FIREWORKS).headers


@pytest.mark.parametrize(
    ("choice", "parallel", "wire"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), None, {"type": "none"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", ("Run",)), None, {"type": "tool", "name": "Run"}),
        (ToolChoice("named", ("Run",)), False, {"type": "tool", "name": "Run", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, wire: dict[str, Any] | None) -> None:
    """Every choice has its form; the parallel switch stands with all but ``none``, which has no such member."""
    sent = body(chat(tools=(LOOK, RUN), tool_choice=choice, parallel_tool_calls=parallel))
    assert sent.get("tool_choice") == wire
    assert len(sent["tools"]) == 2


@pytest.mark.parametrize(("mode", "wire"), [("auto", "auto"), ("required", "any")])
def test_allowed_tools(mode: Any, wire: str) -> None:
    """Only the allowed tools are sent."""
    sent = body(chat(tools=(LOOK, RUN), tool_choice=ToolChoice(mode, ("Run",))))
    assert (sent["tools"], sent["tool_choice"]) == ([WIRE_RUN], {"type": wire})


@pytest.mark.parametrize("choice", [ToolChoice("named", ("gone",)), ToolChoice("auto", ("look", "gone"))])
def test_a_choice_of_nothing(choice: ToolChoice) -> None:
    """A tool that is not among the tools cannot be chosen."""
    with pytest.raises(InvalidRequest, match="gone") as raised:
        body(chat(tools=(LOOK,), tool_choice=choice))
    assert raised.value.param == "tool_choice"


def test_claude_code_names() -> None:
    """Names that Claude Code knows take its casing, in the choice, too, and come back as the client's."""
    asked = chat(
        tools=(Tool("bash"), Tool("Look"), Tool("GREP"), Tool("grep")), tool_choice=ToolChoice("named", ("bash",))
    )
    wire = request(asked, SONNET_45, Options(identity="claude_code", cache="none"))
    sent = body(asked, SONNET_45, Options(identity="claude_code", cache="none"))
    assert [tool["name"] for tool in sent["tools"]] == ["Bash", "Look", "GREP", "grep"]
    assert sent["tool_choice"]["name"] == "Bash"
    assert notes(wire).client_names == {"bash": "bash", "look": "Look"}
    assert body(asked)["tools"][0]["name"] == "bash"


def test_free_text_tools() -> None:
    """A custom tool becomes a function with one string; its grammar is told in the description."""
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
    asked = chat(tools=(Tool("run", "Runs.", custom=True, format=grammar), Tool("say", custom=True)))
    run, say = body(asked)["tools"]
    assert run["input_schema"]["required"] == ["input"]
    assert run["description"] == "Runs.\n\nThe input must follow this lark grammar:\nstart: WORD"
    assert "description" not in say
    assert notes(request(asked)).custom == {"run", "say"}


def test_strict_tools() -> None:
    """``strict`` is passed on where the schema already qualifies and the endpoint compiles it; else it is named."""
    open_schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    strict, loose = Tool("look", None, SCHEMA, strict=True), Tool("loose", None, open_schema, strict=True)
    assert [tool.get("strict") for tool in body(chat(tools=(strict, loose, RUN)))["tools"]] == [True, None, None]
    assert request(chat(tools=(strict,))).dropped == ()
    assert request(chat(tools=(strict, loose))).dropped == ("tools.strict",)
    assert "strict" not in body(chat(tools=(strict,)), COPILOT)["tools"][0]
    assert request(chat(tools=(strict,)), COPILOT).dropped == ("tools.strict",)


def test_too_many_strict_tools() -> None:
    """Anthropic compiles 20 strict tools and 16 unions; more than that, and none is strict."""
    many = tuple(Tool(f"t{number}", None, SCHEMA, strict=True) for number in range(21))
    assert all("strict" not in tool for tool in body(chat(tools=many))["tools"])
    assert all("strict" in tool for tool in body(chat(tools=many[:20]))["tools"])
    unions = {f"p{number}": {"type": ["string", "null"]} for number in range(17)}
    wide = Tool("wide", None, {**SCHEMA, "properties": unions, "required": list(unions)}, strict=True)
    assert "strict" not in body(chat(tools=(wide,)))["tools"][0]


FORM = ResponseFormat("json_schema", "answer", "A reply.", SCHEMA, strict=True)


def test_schemas_for_the_answer_are_native() -> None:
    """At Anthropic a schema is an output format and leaves tools alone."""
    sent = body(chat(response_format=FORM, tools=(LOOK,)))
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert sent["tools"] == [WIRE_LOOK]
    assert "tool_choice" not in sent


def test_schemas_for_the_answer_elsewhere() -> None:
    """An endpoint without output formats is made to call a tool, whose arguments are the answer."""
    wire = request(chat(response_format=FORM), OTHER)
    sent = body(chat(response_format=FORM), OTHER)
    assert sent["tool_choice"] == {"type": "tool", "name": "answer", "disable_parallel_tool_use": True}
    assert sent["tools"][0]["input_schema"] == SCHEMA
    assert sent["tools"][0]["description"].startswith("A reply.")
    assert "output_config" not in sent
    assert notes(wire).answer_tool == "answer"


@pytest.mark.parametrize(
    ("choice", "names", "wire"),
    [
        (None, ["look", "answer"], {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), ["look", "answer"], {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), ["answer"], {"type": "tool", "name": "answer", "disable_parallel_tool_use": True}),
        (ToolChoice("required"), ["look"], {"type": "any"}),
        (ToolChoice("named", ("look",)), ["look"], {"type": "tool", "name": "look"}),
    ],
)
def test_answer_tool_beside_the_clients(choice: ToolChoice | None, names: list[str], wire: dict[str, Any]) -> None:
    """The client's tools stay callable; where it forces one of them, the answer is that call."""
    sent = body(chat(response_format=FORM, tools=(LOOK,), tool_choice=choice), OTHER)
    assert [tool["name"] for tool in sent["tools"]] == names
    assert sent["tool_choice"] == wire


def test_the_answer_tool_has_a_name_of_its_own() -> None:
    """A client's tool of the same name is not confused with it."""
    sent = body(chat(response_format=FORM, tools=(Tool("answer"),)), OTHER)
    assert [tool["name"] for tool in sent["tools"]] == ["answer", "answer_"]


RECURSIVE = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}},
}


ANYTHING = {"type": "object", "properties": {"value": True}}


@pytest.mark.parametrize("schema", [RECURSIVE, ANYTHING])
def test_schemas_that_are_not_compiled(schema: dict[str, Any]) -> None:
    """Recursion and values of any kind cannot be compiled; the schema goes into a tool as it is."""
    sent = body(chat(response_format=ResponseFormat("json_schema", "r", schema=schema)))
    assert sent["tools"][0]["input_schema"] == schema


@pytest.mark.parametrize(
    ("form", "start"),
    [
        (ResponseFormat("json_object"), JSON_OBJECT),
        (ResponseFormat("json_schema", "x"), JSON_OBJECT),
        (ResponseFormat("json_schema", "x", schema={"type": "array"}), "Answer with exactly one JSON value"),
        (ResponseFormat("json_schema", "x", "A list.", {"type": "array"}), "A list.\n\nAnswer with exactly"),
    ],
)
def test_forms_without_a_place(form: ResponseFormat, start: str) -> None:
    """What neither a format nor a tool can say is said in a last system block."""
    sent = body(chat(response_format=form), OTHER)
    assert sent["system"][-1]["text"].startswith(start)
    assert "tools" not in sent
    if form.schema is not None:
        assert sent["system"][-1]["text"].endswith('{"type":"array"}')


def test_plain_text_needs_nothing() -> None:
    """``text`` is what every API does."""
    assert body(chat(response_format=ResponseFormat("text"))) == body(chat())
