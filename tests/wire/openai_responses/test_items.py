from __future__ import annotations

from typing import Any

import pytest

from piproxy import jsontext
from piproxy.chat import (
    AssistantMessage,
    File,
    Image,
    Message,
    Refusal,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.model import Model
from piproxy.wire.openai_responses.items import input_items
from piproxy.wire.room import Options

MODEL = Model(
    provider="openai",
    id="gpt-5.6",
    api="openai-responses",
    base_url="https://api.openai.com/v1",
    reasoning=True,
    input=("text", "image"),
)
BLIND = Model(provider="openai", id="x", api="openai-responses", base_url="https://api.openai.com/v1")
PNG = "data:image/png;base64,AA"
SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}


def items(*messages: Message, model: Model = MODEL, replay: dict[str, Any] | None = None) -> list[Any]:
    """As they stand on the wire."""
    written: list[Any] = jsontext.parse(jsontext.dump(input_items(messages, model, Options(replay=replay or {}))))
    return written


@pytest.mark.parametrize(
    ("part", "want"),
    [
        (Text(" \n x "), {"type": "input_text", "text": " \n x "}),
        (
            Text("x", {"mode": "explicit"}),
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ),
        (Text("x", {"type": "ephemeral"}), {"type": "input_text", "text": "x"}),
        (Image(PNG), {"type": "input_image", "detail": "auto", "image_url": PNG}),
        (Image("https://h/a.png", "high"), {"type": "input_image", "detail": "high", "image_url": "https://h/a.png"}),
        (
            File("data:application/pdf;base64,AA", None, "a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        ),
        (File(file_id="file-1"), {"type": "input_file", "file_id": "file-1"}),
    ],
)
def test_user_parts(part: Any, want: dict[str, Any]) -> None:
    """Text is kept to the byte, an image keeps its detail, a file becomes an input file."""
    assert items(UserMessage((part,))) == [{"role": "user", "content": [want]}]


def test_a_model_that_sees_nothing_is_told_so() -> None:
    """A run of images becomes one text."""
    (item,) = items(UserMessage((Text("a"), Image(PNG), Image(PNG))), model=BLIND)
    assert [part["text"] for part in item["content"]] == ["a", "(image omitted: model does not support images)"]


def test_an_assistant_turn_with_text_refusal_and_calls() -> None:
    """The text is one message item, refusals are refusal parts, each call is an item with its arguments untouched."""
    turn = AssistantMessage(
        (Text("One"), Refusal("No")), (ToolCall("call_1", "f", '{"a" :1.0}'),), refusal="Really no", reasoning="hm"
    )
    assert items(turn, ToolMessage("r", "call_1")) == [
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "id": "msg_pi_0",
            "content": [
                {"type": "output_text", "text": "One", "annotations": []},
                {"type": "refusal", "refusal": "No"},
                {"type": "refusal", "refusal": "Really no"},
            ],
        },
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a" :1.0}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "r"},
    ]


def test_an_empty_assistant_turn_is_left_out() -> None:
    """An item without content is refused by the API."""
    assert items(AssistantMessage(""), AssistantMessage(None)) == []


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("", ""),
        (" x ", " x "),
        ((Text("x"),), "x"),
        ((Text("x"), Text("y")), [{"type": "input_text", "text": "x"}, {"type": "input_text", "text": "y"}]),
        ((Image(PNG, "low"),), [{"type": "input_image", "detail": "low", "image_url": PNG}]),
        ((), ""),
    ],
)
def test_tool_results(content: Any, output: Any) -> None:
    """A result is a text, or parts where it has more than one text in it."""
    turn = AssistantMessage(None, (ToolCall("c", "f", "{}"),))
    assert items(turn, ToolMessage(content, "c"))[-1] == {
        "type": "function_call_output",
        "call_id": "c",
        "output": output,
    }


def test_custom_calls_and_their_results() -> None:
    """A result has the kind of its call."""
    turn = AssistantMessage(None, (ToolCall("a", "run", "4 + 4", custom=True), ToolCall("b", "f", "{}")))
    made = items(turn, ToolMessage("8", "a"), ToolMessage("9", "b"))
    assert made == [
        {"type": "custom_tool_call", "call_id": "a", "name": "run", "input": "4 + 4"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "8"},
        {"type": "function_call_output", "call_id": "b", "output": "9"},
    ]


def test_a_call_without_a_result_gets_one() -> None:
    """The API refuses an unanswered call."""
    made = items(AssistantMessage(None, (ToolCall("c", "f", "{}"),)), UserMessage("go on"))
    assert made[1] == {"type": "function_call_output", "call_id": "c", "output": "No result provided"}


def ids(*given: str) -> list[tuple[str, str]]:
    """Wire ids of calls, each with that of its result."""
    turn = AssistantMessage(None, tuple(ToolCall(one, "f", "{}") for one in given))
    made = items(turn, *(ToolMessage("r", one) for one in given))
    return [(made[at]["call_id"], made[at + len(given)]["call_id"]) for at in range(len(given))]


def test_ids_that_fit_stay_and_others_are_mapped() -> None:
    """pi's double ids lose the item's half, foreign ones are made to fit, and results follow their calls."""
    assert ids("call_1", "call_2|fc_2") == [("call_1", "call_1"), ("call_2", "call_2")]
    ((foreign, result),) = ids("functions.f:0" * 9)
    assert foreign == result
    assert len(foreign) <= 64
    assert foreign.replace("_", "").replace("-", "").isalnum()


def test_double_ids_that_share_a_half_stay_apart() -> None:
    """Both halves are kept where one is not enough."""
    (first, _), (second, _) = ids("call|a", "call|b")
    assert first != second


def test_remembered_reasoning_stands_before_its_call() -> None:
    """It is given back as it came, and only to the model that wrote it."""
    turn = AssistantMessage("Text", (ToolCall("c", "f", "{}"),))
    memory = {"c": {"model": "openai/gpt-5.6", "items": [SEALED]}}
    made = items(turn, ToolMessage("r", "c"), replay=memory)
    assert [item["type"] for item in made] == ["message", "reasoning", "function_call", "function_call_output"]
    assert made[1] == SEALED
    foreign = {"c": {"model": "openai/gpt-4", "items": [SEALED]}}
    for replay in (foreign, {"c": "nonsense"}, {}):
        assert len(items(turn, ToolMessage("r", "c"), replay=replay)) == 3


def detail(model: str) -> dict[str, Any]:
    return {
        "type": "reasoning.encrypted",
        "format": "openai-responses-v1",
        "id": "rs_1",
        "data": "sealed",
        "model": model,
    }


def test_reasoning_that_the_client_gives_back() -> None:
    """Our own ``reasoning_details`` become the item again, unless it is remembered anyway or another model's."""
    turn = AssistantMessage("Text", (ToolCall("c", "f", "{}"),), reasoning_details=[detail("openai/gpt-5.6")])
    result = ToolMessage("r", "c")
    assert items(turn, result)[0] == SEALED
    memory = {"c": {"model": "openai/gpt-5.6", "items": [SEALED]}}
    assert items(turn, result, replay=memory).count(SEALED) == 1
    for details in ([detail("other/x")], "nonsense", [7]):
        assert SEALED not in items(AssistantMessage("Text", reasoning_details=details))
