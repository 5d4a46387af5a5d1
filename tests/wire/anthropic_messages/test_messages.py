"""The conversation on the wire."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from fakes.claude import CLAUDE_CODE, FIREWORKS, OPUS_46, OPUS_48, OTHER, SONNET_45, body, chat

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Content,
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
from piproxy.errors import ClientError, InvalidRequest, UnsupportedParameter
from piproxy.toolids import ANTHROPIC, IdMap
from piproxy.transcript import NO_IMAGES, NO_RESULT
from piproxy.wire.room import Options

FOREIGN = IdMap(ANTHROPIC).to_wire("a|b")
PIXEL = Image("data:image/png;base64,AAAA")
PIXEL_BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
CALL = ToolCall("toolu_1", "look", '{"at": "x"}')
CALL_BLOCK = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "x"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def result(content: Any, id: str = "toolu_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


CONVERSATIONS = [
    pytest.param((UserMessage(" a\n"),), [{"role": "user", "content": " a\n"}], id="text stays a string"),
    pytest.param(
        (UserMessage((Text("a"), Text("b"))),), [turn("user", text("a"), text("b"))], id="parts are not joined"
    ),
    pytest.param(
        (UserMessage((Text("a"), Text(" \n"), PIXEL)),),
        [turn("user", text("a"), PIXEL_BLOCK)],
        id="blank text left out",
    ),
    pytest.param(
        (UserMessage("a"), UserMessage(" "), UserMessage("b")),
        [turn("user", text("a"), text("b"))],
        id="neighbours merge, an empty turn is dropped",
    ),
    pytest.param(
        (
            UserMessage("q"),
            AssistantMessage("I look.", (CALL, ToolCall("toolu_2", "look", ""))),
            ToolMessage("1", "toolu_1"),
            ToolMessage((Text("2"), PIXEL), "toolu_2"),
            UserMessage("r"),
        ),
        [
            {"role": "user", "content": "q"},
            turn(
                "assistant",
                text("I look."),
                CALL_BLOCK,
                {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}},
            ),
            turn("user", result("1"), result([text("2"), PIXEL_BLOCK], "toolu_2"), text("r")),
        ],
        id="all results in one turn, before the user's words",
    ),
    pytest.param(
        (UserMessage("q"), AssistantMessage(None, (CALL,)), UserMessage("r")),
        [
            {"role": "user", "content": "q"},
            turn("assistant", CALL_BLOCK),
            turn("user", result(NO_RESULT, is_error=True), text("r")),
        ],
        id="a call without result",
    ),
    pytest.param(
        (UserMessage("q"), AssistantMessage(None, (CALL,)), ToolMessage((Text(" 1 "),), "toolu_1")),
        [{"role": "user", "content": "q"}, turn("assistant", CALL_BLOCK), turn("user", result(" 1 "))],
        id="one text part is a string",
    ),
    pytest.param((ToolMessage("lost", "x"),), [{"role": "user", "content": "lost"}], id="a result without call"),
    pytest.param(
        (UserMessage("q"), AssistantMessage((Text("a"), Refusal("no")), refusal="never"), UserMessage("r")),
        [
            {"role": "user", "content": "q"},
            turn("assistant", text("a"), text("no"), text("never")),
            {"role": "user", "content": "r"},
        ],
        id="refusals are words",
    ),
    pytest.param(
        (UserMessage("q"), AssistantMessage(""), UserMessage("r")),
        [turn("user", text("q"), text("r"))],
        id="an empty answer is dropped",
    ),
    pytest.param(
        (UserMessage("q"), AssistantMessage(None, (CALL,)), ToolMessage((Text("1"), Text("2")), "toolu_1")),
        [
            {"role": "user", "content": "q"},
            turn("assistant", CALL_BLOCK),
            turn("user", result([text("1"), text("2")])),
        ],
        id="text parts of a result are not joined",
    ),
    pytest.param(
        (
            UserMessage("q"),
            AssistantMessage(None, (ToolCall("a|b", "run", "x = 1", custom=True),)),
            ToolMessage("", "a|b"),
        ),
        [
            {"role": "user", "content": "q"},
            turn(
                "assistant",
                {"type": "tool_use", "id": FOREIGN, "name": "run", "input": {"input": "x = 1"}},
            ),
            turn("user", result("", FOREIGN)),
        ],
        id="foreign ids fit, results follow; free text travels as a string",
    ),
]


@pytest.mark.parametrize(("messages", "turns"), CONVERSATIONS)
def test_conversation(messages: tuple[Message, ...], turns: list[dict[str, Any]]) -> None:
    """Messages become turns whose blocks say the same words."""
    assert body(chat(*messages), OTHER)["messages"] == turns


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        ('{"a": 1.5, "b": [null, true], " c ": "\\u00e4"}', {"a": 1.5, "b": [None, True], " c ": "ä"}),
        ("", {}),
        ("  ", {}),
        ('{"cut": "of', {"arguments": '{"cut": "of'}),
        ("[1]", {"arguments": "[1]"}),
        ("null", {"arguments": "null"}),
    ],
)
def test_arguments_are_an_object_and_never_lost(arguments: str, input: dict[str, Any]) -> None:
    """Arguments become the object that they are; what is no object is wrapped."""
    messages = (UserMessage("q"), AssistantMessage(None, (ToolCall("toolu_1", "look", arguments),)))
    assert body(chat(*messages))["messages"][1]["content"][0]["input"] == input


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image("https://x.example/a.png"),
            {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        ),
        (
            File("data:application/pdf;base64,JVBERi0x", filename="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
                "title": "a.pdf",
            },
        ),
        (
            File("JVBERi0x"),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}},
        ),
        (
            File("data:text/markdown;charset=utf-8;base64," + b64encode("# ä".encode()).decode(), filename="a.md"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "# ä"},
                "title": "a.md",
            },
        ),
        (
            File(b64encode(b"plain").decode(), filename="a.txt"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "plain"},
                "title": "a.txt",
            },
        ),
        (File("data:image/png;base64,AAAA"), PIXEL_BLOCK),
    ],
)
def test_images_and_documents(part: Image | File, block: dict[str, Any]) -> None:
    """Images and documents are sent as Anthropic's own blocks."""
    assert body(chat(UserMessage((Text("see"), part))))["messages"][0]["content"] == [text("see"), block]


@pytest.mark.parametrize(
    ("part", "error", "word"),
    [
        (Image("https://x.example/a.png"), InvalidRequest, "base64"),
        (File(file_id="file-1"), UnsupportedParameter, "by id"),
        (File("data:application/zip;base64,AAAA"), InvalidRequest, "application/zip"),
        (File("data:text/plain,hello"), InvalidRequest, "base64"),
        (File("data:text/plain;base64,/w=="), InvalidRequest, "UTF-8"),
        (Audio("AAAA", "wav"), UnsupportedParameter, "audio"),
    ],
)
def test_parts_that_cannot_be_sent(part: Image | File | Audio, error: type[ClientError], word: str) -> None:
    """A part that the endpoint cannot take is refused by name."""
    with pytest.raises(error, match=word) as raised:
        body(chat(UserMessage((part,))), OTHER)
    assert raised.value.param == "messages"


def test_a_model_without_eyes() -> None:
    """For a model that takes no images a run of them becomes a text."""
    blind = replace(OTHER, input=("text",))
    sent = body(chat(UserMessage((Text("a"), PIXEL, PIXEL))), blind)
    assert sent["messages"] == [turn("user", text("a"), text(NO_IMAGES))]


SYSTEM: list[Any] = [
    ((SystemMessage("a"), SystemMessage((Text("b"), Text(" ")), role="developer")), [text("a"), text("b")]),
    ((SystemMessage(" "),), None),
]


@pytest.mark.parametrize(("opening", "system"), SYSTEM)
def test_system_prompt(opening: tuple[Message, ...], system: list[dict[str, Any]] | None) -> None:
    """System and developer messages become blocks, each as it was said; blank ones are left out."""
    assert body(chat(*opening, UserMessage("q"))).get("system") == system


def test_only_system_messages() -> None:
    """A request of system messages alone is valid at OpenAI; its last one is said by the user."""
    sent = body(chat(SystemMessage("a"), SystemMessage("b")))
    assert (sent["system"], sent["messages"]) == ([text("a")], [{"role": "user", "content": "b"}])


def test_later_system_messages_join_the_prompt() -> None:
    """Where the API takes none in the middle, they become part of the system prompt."""
    sent = body(chat(SystemMessage("a"), UserMessage("q"), SystemMessage("b")), OPUS_46)
    assert (sent["system"], sent["messages"]) == ([text("a"), text("b")], [{"role": "user", "content": "q"}])


def test_later_system_messages_stay_where_the_model_takes_them() -> None:
    """They stand behind a user turn, before the assistant's or at the end; nothing comes between call and result."""
    sent = body(
        chat(
            SystemMessage("a"),
            UserMessage("q"),
            AssistantMessage(None, (CALL,)),
            SystemMessage("b"),
            ToolMessage("1", "toolu_1"),
            AssistantMessage("done"),
            UserMessage("r"),
            SystemMessage("c"),
        ),
        OPUS_48,
    )
    assert sent["system"] == [text("a")]
    assert sent["messages"] == [
        {"role": "user", "content": "q"},
        turn("assistant", CALL_BLOCK),
        turn("user", result("1")),
        turn("system", text("b")),
        turn("assistant", text("done")),
        {"role": "user", "content": "r"},
        turn("system", text("c")),
    ]


def test_prefilled_answers() -> None:
    """A trailing assistant turn loses the white space that Claude refuses there; newer models refuse it altogether."""
    messages = (UserMessage("q"), AssistantMessage("Sure: \n"))
    assert body(chat(*messages))["messages"][1] == turn("assistant", text("Sure:"))
    assert body(chat(*messages), FIREWORKS)["messages"][1] == turn("assistant", text("Sure:"))
    with pytest.raises(InvalidRequest, match="user message") as raised:
        body(chat(*messages), OPUS_46)
    assert raised.value.param == "messages"


@pytest.mark.parametrize("content", ["", "  ", (), (Text(""),)])
def test_nothing_to_say(content: Content) -> None:
    """A conversation without any content is refused here, with the field's name."""
    with pytest.raises(InvalidRequest) as raised:
        body(chat(UserMessage(content)))
    assert raised.value.param == "messages"


def test_half_a_surrogate_pair_is_left_out() -> None:
    """No provider accepts it, and UTF-8 cannot carry it."""
    assert body(chat(UserMessage("a\ud83db")))["messages"] == [{"role": "user", "content": "ab"}]


def test_claude_code_speaks_first() -> None:
    """With a subscription the first system block is Claude Code's, and tools have its casing, in history, too."""
    messages = (SystemMessage("a"), UserMessage("q"), AssistantMessage(None, (ToolCall("t", "bash", "{}"),)))
    sent = body(chat(*messages), SONNET_45, Options(identity="claude_code", cache="none"))
    assert sent["system"] == [text("You are Claude Code, Anthropic's official CLI for Claude."), text("a")]
    assert sent["messages"][1]["content"][0]["name"] == "Bash"
    assert body(chat(), SONNET_45, CLAUDE_CODE)["system"][0]["text"].startswith("You are Claude Code")
