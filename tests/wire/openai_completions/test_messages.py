from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import OPENAI, body, chat, model

from piproxy.chat import (
    AssistantMessage,
    Audio,
    File,
    Image,
    Message,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import NeedsInlineImages
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options

PNG = "data:image/png;base64,iVBORw0KGgo="
CALL = ToolCall("call_1", "f", '{"a" :1.0,  "b": 12345678901234567890}')
REMOTE = "https://models.example/v1"
ROUTER = {"provider": "openrouter", "base_url": "https://openrouter.ai/api/v1"}


def sent(*messages: Message, to: Model | None = None, **options: Any) -> list[dict[str, Json]]:
    found = body(chat(*messages), to or model(base_url=REMOTE, reasoning=False), **options)["messages"]
    assert isinstance(found, list)
    return found


def test_content_goes_through() -> None:
    """Text, white space, names, detail, raw arguments, strings and arrays stay as the client wrote them."""
    assert sent(
        SystemMessage(" Be\n\n brief. \t"),
        UserMessage((Text("  a\u2028b "), Text(""), Image(PNG, "high"), Image("https://x/y.png")), name="eve"),
        AssistantMessage((Text(" x "),), (CALL,), name="bot"),
        ToolMessage((Text("1"), Text(" 2 ")), "call_1"),
        AssistantMessage("done "),
        UserMessage(""),
    ) == [
        {"role": "system", "content": " Be\n\n brief. \t"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "  a\u2028b "},
                {"type": "text", "text": ""},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            ],
            "name": "eve",
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": " x "}],
            "name": "bot",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": CALL.arguments}}
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": [{"type": "text", "text": "1"}, {"type": "text", "text": " 2 "}],
        },
        {"role": "assistant", "content": "done "},
        {"role": "user", "content": ""},
    ]


def test_other_parts() -> None:
    """Files, audio, refusals and custom tool calls have their own shapes."""
    assert sent(
        UserMessage(
            (File("data:application/pdf;base64,AA==", filename="a.pdf"), File(file_id="f1"), Audio("AAA=", "wav"))
        ),
        AssistantMessage((Refusal("No."),)),
        AssistantMessage(None, (ToolCall("c", "sh", "ls -l", custom=True),), refusal="Never."),
        ToolMessage("ok", "c"),
    ) == [
        {
            "role": "user",
            "content": [
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {
            "role": "assistant",
            "content": None,
            "refusal": "Never.",
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]


def test_refusal_where_it_is_unknown() -> None:
    """A provider without refusals gets the words as text."""
    assert sent(
        AssistantMessage(None, refusal="Never."), AssistantMessage((Refusal("No."),)), to=model("groq", reasoning=False)
    ) == [
        {"role": "assistant", "content": "Never."},
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
    ]


@pytest.mark.parametrize(
    ("to", "role"),
    [
        (model(), "developer"),
        (model(reasoning=False), "system"),
        (model(compat={"supportsDeveloperRole": False}), "system"),
        (model("zai"), "system"),
    ],
)
def test_developer_role(to: Model, role: str) -> None:
    """Instructions are a developer's only for a reasoning model whose upstream knows the role."""
    for wanted in (SystemMessage("x"), SystemMessage("x", "developer")):
        assert sent(wanted, UserMessage("y"), to=to)[0]["role"] == role


def test_system_messages_are_folded() -> None:
    """Upstreams that want one system message get one; the texts stay whole and in order."""
    said = (SystemMessage(" a "), UserMessage("u"), SystemMessage("b"), UserMessage("v"))
    assert sent(*said) == [
        {"role": "system", "content": " a \n\nb"},
        {"role": "user", "content": "u"},
        {"role": "user", "content": "v"},
    ]
    late = sent(UserMessage("u"), SystemMessage((Text("b"), Text("c"))), SystemMessage("d"))
    assert late[0] == {"role": "system", "content": [{"type": "text", "text": text} for text in "bcd"]}
    assert [message["role"] for message in late] == ["system", "user"]


@pytest.mark.parametrize(
    ("to", "keeps"),
    [
        (model(compat={"supportsMidConvoSystemMessages": True}), True),
        (model("openai", OPENAI), True),
        (model("openai", OPENAI, compat={"supportsMidConvoSystemMessages": False}), False),
        (model("deepseek"), False),
    ],
)
def test_system_messages_keep_their_places(to: Model, keeps: bool) -> None:
    """Where the upstream takes them, later system messages stay where they are."""
    roles = [message["role"] for message in sent(UserMessage("u"), SystemMessage("b"), UserMessage("v"), to=to)]
    assert (roles[0] == "user") is keeps


def test_images_for_a_blind_model() -> None:
    """A model without image input gets one placeholder for each run of images."""
    message = UserMessage((Text("see"), Image(PNG), Image(PNG), Text("and"), Image(PNG)))
    texts = [part["text"] for part in sent(message, to=model(input=("text",)))[0]["content"]]
    gap = "(image omitted: model does not support images)"
    assert texts == ["see", gap, "and", gap]


def test_images_of_tool_results_follow() -> None:
    """Images of a run of tool results are shown by a user message after the run."""
    calls = (ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}"))
    found = sent(
        AssistantMessage(None, calls),
        ToolMessage((Text("a"), Image(PNG)), "1"),
        ToolMessage((Image(PNG, "low"),), "2"),
        UserMessage("go on"),
    )
    assert [message["role"] for message in found] == ["assistant", "tool", "tool", "user", "user"]
    assert found[1]["content"] == [{"type": "text", "text": "a"}]
    assert found[2]["content"] == "(see attached image)"
    assert found[3]["content"] == [
        {"type": "text", "text": "Attached image(s) from tool result:"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
    ]


def test_history_is_repaired() -> None:
    """A call without a result gets one; a result without a call becomes a user turn; an empty turn goes."""
    found = sent(
        AssistantMessage(None, (CALL,)), UserMessage("so?"), ToolMessage("late", "call_9"), AssistantMessage(None)
    )
    assert found[1:] == [
        {"role": "tool", "tool_call_id": "call_1", "content": "No result provided"},
        {"role": "user", "content": "so?"},
        {"role": "user", "content": "late"},
    ]


def test_bridge_after_tool_results() -> None:
    """Some upstreams want an assistant between a result and the user, and no null content."""
    to = model(compat={"requiresAssistantAfterToolResult": True, "requiresToolResultName": True}, reasoning=False)
    found = sent(AssistantMessage(None, (CALL,)), ToolMessage("r", "call_1"), UserMessage("so?"), to=to)
    assert found[0]["content"] == ""
    assert found[1]["name"] == "f"
    assert found[2] == {"role": "assistant", "content": "I have processed the tool results."}
    assert found[3]["role"] == "user"


def test_content_that_may_not_be_null() -> None:
    """An upstream that refuses null gets an empty string."""
    to = model(compat={"requiresNonNullAssistantContent": True})
    assert sent(AssistantMessage(None, (CALL,)), to=to)[0]["content"] == ""


@pytest.mark.parametrize(
    ("to", "name"),
    [
        (model(), "reasoning_content"),
        (model("deepseek"), "reasoning_content"),
        (model("opencode-go", "https://opencode.ai/inference/go/openai/v1"), "reasoning_content"),
        (model(**ROUTER), "reasoning"),
        (model("groq"), "reasoning"),
        (model("together"), "reasoning"),
        (model("github-copilot"), "reasoning_text"),
        (model("openai", OPENAI), None),
        (model("azure", "https://r.openai.azure.com", compat={"requiresReasoningContentOnAssistantMessages": True}),
         "reasoning_content"),
    ],
)  # fmt: skip
def test_reasoning_goes_back(to: Model, name: str | None) -> None:
    """Earlier thinking returns under the name that the upstream knows."""
    turn = sent(AssistantMessage("x", reasoning=" Hm. "), to=to)[0]
    assert {key: turn[key] for key in turn if key.startswith("reasoning")} == ({name: " Hm. "} if name else {})


def test_reasoning_as_text() -> None:
    """An upstream without a field for it gets the thinking as a leading text part."""
    to = model(compat={"requiresThinkingAsText": True})
    assert sent(AssistantMessage("x", reasoning="Hm."), to=to)[0]["content"] == [
        {"type": "text", "text": "Hm."},
        {"type": "text", "text": "x"},
    ]


def test_reasoning_that_must_be_there() -> None:
    """Where reasoning_content is required, it is empty rather than missing, for reasoning models."""
    assert sent(AssistantMessage("x"), to=model("deepseek"))[0]["reasoning_content"] == ""
    assert "reasoning_content" not in sent(AssistantMessage("x"), to=model("deepseek", reasoning=False))[0]


def test_reasoning_details() -> None:
    """OpenRouter gets its own list back instead of the text; nobody gets another API's opaque blocks."""
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    turn = sent(AssistantMessage("x", reasoning="Hm.", reasoning_details=details), to=model(**ROUTER))[0]
    assert turn["reasoning_details"] == details
    assert "reasoning" not in turn
    foreign = sent(AssistantMessage("x", reasoning_details=[{"signature": "s"}]), to=model(**ROUTER))[0]
    assert "reasoning_details" not in foreign


HISTORY = (AssistantMessage(None, (CALL,)), ToolMessage("r", "call_1"))
DETAILS = [{"type": "reasoning.text", "text": "Hm."}]


def memory(to: Model) -> dict[str, Json]:
    blocks = {"reasoning": "Hm.", "reasoning_details": DETAILS, "extra_content": {"google": 1}}
    return {"call_1": {"model": to.canonical_id, **blocks}}


def test_remembered_reasoning() -> None:
    """What the client dropped is filled in from memory, by tool-call id, where the upstream needs it."""
    router, deepseek, custom = model(**ROUTER), model("deepseek"), model()
    assert sent(*HISTORY, to=router, replay=memory(router))[0]["reasoning_details"] == DETAILS
    assert sent(*HISTORY, to=deepseek, replay=memory(deepseek))[0]["reasoning_content"] == "Hm."
    turn = sent(*HISTORY, to=custom, replay=memory(custom))[0]
    assert turn["tool_calls"][0]["extra_content"] == {"google": 1}
    assert "reasoning_content" not in turn


def test_memory_is_no_more_than_that() -> None:
    """What the client sent wins, and a model never gets what another one thought."""
    deepseek = model("deepseek")
    said = (AssistantMessage(None, (CALL,), reasoning="Mine."), ToolMessage("r", "call_1"))
    assert sent(*said, to=deepseek, replay=memory(deepseek))[0]["reasoning_content"] == "Mine."
    assert sent(*HISTORY, to=deepseek, replay=memory(model()))[0]["reasoning_content"] == ""
    assert sent(*HISTORY, to=deepseek, replay={"call_1": "a signature"})[0]["reasoning_content"] == ""


def test_groq_takes_no_names() -> None:
    """A provider that refuses names does not get them, and the client hears of it."""
    request = build_request(chat(UserMessage("x", name="eve")), model("groq"), Options())
    assert b'"name"' not in request.body
    assert request.dropped == ("messages.name",)


def test_tool_result_follows_its_id() -> None:
    """An id that the upstream refuses is replaced in the call and in the result alike."""
    long = "call_" + "x" * 60
    found = sent(
        AssistantMessage(None, (ToolCall(long, "f", "{}"), ToolCall("a|b", "f", "{}"))),
        ToolMessage("1", long),
        ToolMessage("2", "a|b"),
        to=model("openai", OPENAI),
    )
    assert [call["id"] for call in found[0]["tool_calls"]] == [found[1]["tool_call_id"], found[2]["tool_call_id"]]
    assert found[2]["tool_call_id"] == "a_b"
    assert len(found[1]["tool_call_id"]) == 40


@pytest.mark.parametrize(
    "to",
    [
        model("moonshotai", "https://api.moonshot.ai/v1"),
        model("kimi-coding", "https://api.kimi.com/coding/v1"),
        model("github-copilot", "https://api.individual.githubcopilot.com"),
        model("ollama", "http://localhost:11434/v1"),
    ],
)
def test_addresses_of_images_where_only_data_is_taken(to: Model) -> None:
    """The room asks for the images themselves."""
    with pytest.raises(NeedsInlineImages):
        sent(UserMessage((Image("https://x/y.png"),)), to=to)
