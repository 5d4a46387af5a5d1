from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import chunk, parse, sse

from piproxy.errors import UpstreamBroken
from piproxy.events import Event, Finish, ToolCallDelta, ToolCallStart
from piproxy.jsontext import Json

Made = list[tuple[str, str, str]]


def delta(
    index: Json = None, id: Json = None, name: str | None = None, args: Json = None, **more: Json
) -> dict[str, Json]:
    """One element of ``delta.tool_calls``; what is ``None`` is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    given = {key: value for key, value in (("index", index), ("id", id)) if value is not None}
    return {**given, "function": function, **more}


def events(*deltas: dict[str, Json], finish: str = "tool_calls") -> list[Event]:
    return parse(sse(*(chunk({"tool_calls": [one]}) for one in deltas), chunk({}, finish)))


def made(found: list[Event]) -> Made:
    """``(id, name, arguments)`` of every call, after a check of the order."""
    calls: list[list[str]] = []
    for event in found:
        if isinstance(event, ToolCallStart):
            assert event.index == len(calls)
            calls.append([event.id, event.name, ""])
        if isinstance(event, ToolCallDelta):
            calls[event.index][2] += event.arguments
    return [(call[0], call[1], call[2]) for call in calls]


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        pytest.param(
            [delta(0, "a", "f", ""), delta(0, args='{"x"'), delta(0, args=": 1}")],
            [("a", "f", '{"x": 1}')],
            id="as OpenAI does",
        ),
        pytest.param(
            [delta(0, "a", "f"), delta(1, "b", "g"), delta(0, args="{1"), delta(1, args="{2"), delta(0, args="}")],
            [("a", "f", "{1}"), ("b", "g", "{2")],
            id="interleaved",
        ),
        pytest.param(
            [delta(3, "a", "f", "{}"), delta(7, "b", "g", "{}")], [("a", "f", "{}"), ("b", "g", "{}")], id="gaps"
        ),
        pytest.param(
            [delta(None, "a", "f", "{}"), delta(None, "b", "g", "{}")],
            [("a", "f", "{}"), ("b", "g", "{}")],
            id="no index, by id",
        ),
        pytest.param(
            [delta(None, None, "f", "{"), delta(args="}"), delta(None, None, "g", "[]")],
            [("call_w1_0", "f", "{}"), ("call_w1_1", "g", "[]")],
            id="neither index nor id",
        ),
        pytest.param(
            [delta(None, "a", "f", "{"), delta(0, "a", args="1"), delta(0, args="}")],
            [("a", "f", "{1}")],
            id="the index comes late",
        ),
        pytest.param(
            [delta(0, "a", "f", '{"x":1}'), delta(0, "b", "g", "{}")],
            [("a", "f", '{"x":1}'), ("b", "g", "{}")],
            id="an index for all",
        ),
        pytest.param(
            [delta(0, "a", "f"), delta(0, "b", "g")],
            [("a", "f", ""), ("b", "g", "")],
            id="an index for all, no arguments",
        ),
        pytest.param(
            [delta(0, "a", "f", "{"), delta(0, "a", "f", "1"), delta(0, "z", "f", "}")],
            [("a", "f", "{1}")],
            id="id and name in every delta",
        ),
        pytest.param([delta(0, "a", None, "{"), delta(0, None, "f", "}")], [("a", "f", "{}")],
                     id="the name comes late"),
        pytest.param([delta(0, None, "f", "{}"), delta(0, "late")], [("call_w1_0", "f", "{}")], id="the id comes late"),
        pytest.param([delta(0, "", "f"), delta(1, "null", "g")], [("call_w1_0", "f", ""), ("call_w1_1", "g", "")],
                     id="ids that are none"),
        pytest.param(
            [delta(0, "a", "f", "{}"), delta(1, "a", "g", "{}")],
            [("a", "f", "{}"), ("call_w1_1", "g", "{}")],
            id="an id twice",
        ),
        pytest.param(
            [delta(0, "a", "f", {"x": [1, "ä"]}), delta(0, args={"x": 2})],
            [("a", "f", '{"x":[1,"ä"]}')],
            id="arguments as an object",
        ),
        pytest.param([delta(0, "a", "f", ' {"x" : 1.0}\n')], [("a", "f", ' {"x" : 1.0}\n')], id="bytes are kept"),
        pytest.param([delta(True, "a", "f", "{}"), delta("0", "a", args=" ")], [("a", "f", "{} ")], id="odd indexes"),
    ],
)  # fmt: skip
def test_calls_are_put_together(deltas: list[dict[str, Json]], expected: Made) -> None:
    """However a server numbers its calls, each comes out once, whole, with an id and a dense index."""
    found = events(*deltas)
    assert made(found) == expected
    assert found[-1] == Finish("tool_calls")


def test_several_in_one_delta() -> None:
    """A server may send all calls at once."""
    frame = chunk({"tool_calls": [delta(0, "a", "f", "{}"), delta(1, "b", "g", "{}")]}, "tool_calls")
    assert made(parse(sse(frame))) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_custom_tool() -> None:
    """A custom call carries text."""
    found = events(
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
        {"index": 0, "custom": {"input": " -l"}},
    )
    assert [event for event in found if isinstance(event, ToolCallStart)] == [ToolCallStart(0, "a", "sh", custom=True)]
    assert made(found) == [("a", "sh", "ls -l")]


def test_old_function_call() -> None:
    """The deprecated form is one call."""
    frames = [chunk({"function_call": {"name": "f", "arguments": "{"}}), chunk({"function_call": {"arguments": "}"}})]
    assert made(parse(sse(*frames, chunk({}, "function_call")))) == [("call_w1_0", "f", "{}")]


def test_stop_with_calls() -> None:
    """A provider that says stop after a call means tool_calls; a cut-off call stays cut off."""
    assert events(delta(0, "a", "f", "{}"), finish="stop")[-1] == Finish("tool_calls", "stop")
    assert events(delta(0, "a", "f", '{"x'), finish="length")[-1] == Finish("length")


def test_call_without_a_name() -> None:
    """A call that nobody can run breaks the answer."""
    with pytest.raises(UpstreamBroken):
        events(delta(0, "a", None, "{}"))


@pytest.mark.parametrize("odd", [{"index": 0, "id": 5, "function": None}, {"index": None, "function": {"name": 3}}])
def test_odd_deltas_after_a_call(odd: Any) -> None:
    """Fields of a wrong kind are passed over."""
    assert made(events(delta(0, "a", "f", "{}"), odd)) == [("a", "f", "{}")]
