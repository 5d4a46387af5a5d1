"""What the demo provider says and does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fakes.demo import ask, events, steps

from piproxy.chat import (
    AssistantMessage,
    Chat,
    Image,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import ProviderError, UpstreamBroken
from piproxy.events import (
    Event,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.upstream.demo.steps import Break, Data, Hang, Head, Pause

WEATHER = Tool(
    "get_weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def text(found: list[Event]) -> str:
    return "".join(event.text for event in found if isinstance(event, TextDelta))


def calls(found: list[Event]) -> list[tuple[str, str, str]]:
    """Id, name and argument text of every call."""
    return [
        (
            start.id,
            start.name,
            "".join(e.arguments for e in found if isinstance(e, ToolCallDelta) and e.index == start.index),
        )
        for start in found
        if isinstance(start, ToolCallStart)
    ]


def finish(found: list[Event]) -> Event:
    return found[-1]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Hi!", "Hello from piproxy. You said: Hi!"),
        ("", "Hello from piproxy. You said nothing."),
        (" Grüße,\n\n\t你好 \u2028 ", "Hello from piproxy. You said:  Grüße,\n\n\t你好 \u2028 "),
        ("[repeat:2] ha", "Hello from piproxy. You said: ha You said: ha"),
    ],
)
def test_echo_says_it_back(said: str, answer: str) -> None:
    """The last user message comes back after a greeting, character by character the same."""
    found = events(ask(said))
    assert text(found) == answer
    assert finish(found) == Finish("stop")


def test_echo_comes_word_by_word() -> None:
    """Every word is an event and a step of its own."""
    found = events(ask("one two"))
    assert [e.text for e in found if isinstance(e, TextDelta)] == [
        "Hello ",
        "from ",
        "piproxy. ",
        "You ",
        "said: ",
        "one ",
        "two",
    ]


def test_answers_are_deterministic() -> None:
    """The same request gets the same bytes."""
    assert steps(ask("Hi")) == steps(ask("Hi"))


def test_images_are_counted() -> None:
    """The provider says how many images it got."""
    image = Image("data:image/png;base64,AAAA")
    chat = Chat(model="demo/echo", messages=(UserMessage((image, image, Text("Look"))),))
    assert text(events(chat)) == "Hello from piproxy. I got 2 images. You said: Look"


def test_usage_counts_words() -> None:
    """Words are tokens, in and out; cached ones are made up on request."""
    assert events(ask("one two"))[-2] == Usage(input=2, output=7)
    assert events(ask("one two [usage]"))[-2] == Usage(input=3, output=7, cache_read=64, cache_write=32)


def test_limits_are_kept() -> None:
    """``max_tokens`` ends the answer with ``length``, a stop string cuts it."""
    short = events(replace(ask("one two three"), max_tokens=3))
    assert (text(short), finish(short)) == ("Hello from piproxy. ", Finish("length"))
    stopped = events(replace(ask("one two three"), stop=("three", "two")))
    assert (text(stopped), finish(stopped)) == ("Hello from piproxy. You said: one ", Finish("stop"))


def test_json_is_answered_on_request() -> None:
    """A JSON format gets JSON, made from the schema if there is one."""
    as_object = replace(ask("Hi"), response_format=ResponseFormat("json_object"))
    assert json.loads(text(events(as_object))) == {"you_said": "Hi"}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    as_schema = replace(ask("Hi"), response_format=ResponseFormat("json_schema", name="x", schema=schema))
    assert json.loads(text(events(as_schema))) == {"n": 1}


def test_tools_are_called_as_asked() -> None:
    """Wished calls keep their argument text byte for byte, several come in parallel, in pieces."""
    found = events(replace(ask('[tool:get_weather {"city" : "Köln"}] [tool:get_weather]'), tools=(WEATHER,)))
    assert calls(found) == [
        ("call_demo_1", "get_weather", '{"city" : "Köln"}'),
        ("call_demo_2", "get_weather", '{"city":""}'),
    ]
    assert sum(isinstance(event, ToolCallDelta) and event.index == 0 for event in found) == 3
    assert finish(found) == Finish("tool_calls")


@pytest.mark.parametrize(
    ("model", "choice", "called"),
    [
        ("echo", None, False),
        ("echo", ToolChoice("required"), True),
        ("echo", ToolChoice("named", ("get_weather",)), True),
        ("tools", None, True),
        ("tools", ToolChoice("none"), False),
    ],
)
def test_tool_choice_is_kept(model: str, choice: ToolChoice | None, called: bool) -> None:
    """A forced tool is called, a forbidden one is not, and ``demo/tools`` calls by itself."""
    found = events(replace(ask("Paris", model), tools=(WEATHER,), tool_choice=choice))
    assert calls(found) == ([("call_demo_1", "get_weather", '{"city":"Paris"}')] if called else [])


def test_custom_tools_get_text() -> None:
    """A free-text tool is called with the words of the user."""
    found = events(replace(ask("print(1)", "tools"), tools=(Tool("python", custom=True),)))
    assert calls(found) == [("call_demo_1", "python", "print(1)")]
    assert any(isinstance(event, ToolCallStart) and event.custom for event in found)


def test_tool_results_are_answered() -> None:
    """After a tool's answer there is no further call; ids stay unique in a conversation."""
    asked = UserMessage("[tool:get_weather] Paris")
    called = AssistantMessage(tool_calls=(ToolCall("call_demo_1", "get_weather", "{}"),))
    chat = Chat(model="demo/tools", messages=(asked, called, ToolMessage("rain", "call_demo_1")), tools=(WEATHER,))
    assert text(events(chat)) == "The tool answered: rain"
    again = replace(chat, messages=(*chat.messages, UserMessage("Rome")))
    assert calls(events(again)) == [("call_demo_2", "get_weather", '{"city":"Rome"}')]


def test_thinking_comes_first() -> None:
    """Thinking precedes the text and is counted; ``none`` switches the model's own off."""
    found = events(ask("[think:Two words.] Hi"))
    thoughts = [index for index, event in enumerate(found) if isinstance(event, ReasoningDelta)]
    assert "".join(e.text for e in found if isinstance(e, ReasoningDelta)) == "Two words."
    assert max(thoughts) < min(index for index, event in enumerate(found) if isinstance(event, TextDelta))
    assert found[-2] == Usage(input=3, output=8, reasoning=2)
    assert any(isinstance(e, ReasoningDelta) for e in events(ask("Hi", "thinking")))
    quiet = replace(ask("Hi", "thinking"), reasoning_effort="none")
    assert not any(isinstance(e, ReasoningDelta) for e in events(quiet))


def test_refusal() -> None:
    """A refusal is no text."""
    found = events(ask("Hi", "refuse"))
    assert text(found) == ""
    assert "".join(e.text for e in found if isinstance(e, RefusalDelta)) == "I would rather not answer that."


@pytest.mark.parametrize(("model", "reason"), [("length", "length"), ("filter", "content_filter")])
def test_answers_that_stop_in_the_middle(model: str, reason: str) -> None:
    """Half an answer ends with the reason for it."""
    found = events(ask("Hi", model))
    assert text(found) == "Hello from piproxy. "
    assert finish(found) == Finish(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "error"), [("cut", UpstreamBroken), ("garbage", UpstreamBroken), ("error-in-stream", ProviderError)]
)
def test_answers_that_fail_in_the_middle(model: str, error: type[Exception]) -> None:
    """Half an answer and no finish is an error."""
    with pytest.raises(error):
        events(ask("Hi", model))


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500, 529])
def test_errors_before_the_answer(status: int) -> None:
    """The status is the one that was asked for, 429 says when to come back."""
    head, body = steps(ask(f"[error:{status}]"))
    assert isinstance(head, Head)
    assert head.status == status
    assert head.headers.get("retry-after") == ("2" if status == 429 else None)
    assert isinstance(body, Data)
    assert json.loads(body.body)["error"]["message"]


def test_pauses_and_silences() -> None:
    """Slowness stands before each word; a hang, a break and a silence stand where they were asked for."""
    assert sum(isinstance(step, Pause) for step in steps(ask("Hi", "slow"))) == 6
    assert isinstance(steps(ask("Hi", "hang"))[-1], Hang)
    assert isinstance(steps(ask("Hi", "break"))[-1], Break)
    assert steps(ask("Hi", "silent")) == [Hang()]
    assert steps(ask("Hi", "unreachable")) == [Break()]
