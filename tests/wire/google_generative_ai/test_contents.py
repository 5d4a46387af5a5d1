"""Conversations as Gemini's contents, checked against google-genai's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from google.genai import types

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    File,
    Image,
    Message,
    Part,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import ClientError, NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json, dump, parse
from piproxy.model import Model
from piproxy.wire.google_generative_ai.contents import conversation
from piproxy.wire.google_generative_ai.signatures import BYPASS, extra_content, reasoning_detail

PNG: Final = Image("data:image/png;base64,QUJD")
INLINE: Final = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}


def build(
    *messages: Message, model: str = "gemini-2.5-flash", images: bool = True, replay: Mapping[str, Json] | None = None
) -> tuple[str, list[Json]]:
    given = Model(
        provider="google",
        id=model,
        api="google-generative-ai",
        base_url="https://x",
        input=("text", "image") if images else ("text",),
    )
    prompt, made = conversation(Chat(model="m", messages=messages), given, replay or {})
    contents: list[Json] = parse(dump(made))
    for content in contents:
        types.Content.model_validate(content)
    return prompt, contents


def call(id: str = "a", name: str = "f", arguments: str = '{"x": 1}', extra: Json = None) -> ToolCall:
    return ToolCall(id, name, arguments, extra_content=extra)


def test_system_texts_are_joined_wherever_they_stand() -> None:
    """There is one system instruction, with a blank line between its texts."""
    prompt, contents = build(
        SystemMessage("One. "),
        UserMessage("Hi"),
        SystemMessage((Text("Two."), Text("Three.")), "developer"),
    )
    assert prompt == "One. \n\nTwo.\nThree."
    assert contents == [{"role": "user", "parts": [{"text": "Hi"}]}]


def test_system_texts_alone_are_asked_as_a_user() -> None:
    """Gemini refuses a request without contents."""
    assert build(SystemMessage("Say hi.")) == ("", [{"role": "user", "parts": [{"text": "Say hi."}]}])


def test_text_goes_through_byte_for_byte() -> None:
    """White space at the ends, line ends and odd characters stay."""
    text = "  \r\n\tß\u2028 ☔ \n"
    _, contents = build(UserMessage(text), AssistantMessage(text), UserMessage((Text(text), Text("b"))))
    assert [part["text"] for content in contents for part in content["parts"]] == [text, text, text, "b"]


def test_neighbours_of_one_role_share_a_content() -> None:
    """User turns in a row become one, and so do assistant turns."""
    _, contents = build(
        UserMessage("a"), UserMessage((Text("b"), PNG)), AssistantMessage("c"), AssistantMessage((Refusal("d"),))
    )
    assert contents == [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}, INLINE]},
        {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
    ]


def test_an_empty_turn_of_the_user_stays_a_turn() -> None:
    """An empty question still has its place; an empty answer has none."""
    _, contents = build(UserMessage(""), AssistantMessage(""))
    assert contents == [{"role": "user", "parts": [{"text": ""}]}]


@pytest.mark.parametrize(
    ("part", "mime", "data"),
    [
        (Image("data:image/webp;base64,QQ=="), "image/webp", "QQ=="),
        (Audio("QQ==", "mp3"), "audio/mp3", "QQ=="),
        (File("data:text/plain;base64,QQ==", filename="x.pdf"), "text/plain", "QQ=="),
        (File("QQ==", filename="x.CSV"), "text/csv", "QQ=="),
        (File("QQ=="), "application/pdf", "QQ=="),
        (File("QQ==", filename="notes.log"), "text/plain", "QQ=="),
    ],
)
def test_media_goes_inline(part: Part, mime: str, data: str) -> None:
    """Images, sound and documents are the same kind of part, told apart by their type."""
    _, ((content),) = build(UserMessage((part,)))
    assert content["parts"] == [{"inlineData": {"mimeType": mime, "data": data}}]


@pytest.mark.parametrize(
    ("part", "error"),
    [(Image("https://example.org/x.png"), NeedsInlineImages), (File(file_id="file-1"), UnsupportedParameter)],
)
def test_what_is_not_here_cannot_be_sent(part: Part, error: type[ClientError]) -> None:
    """A remote image and a stored file are refused with a reason."""
    with pytest.raises(error):
        build(UserMessage((part,)))


def test_a_model_without_images_is_told_that_there_was_one() -> None:
    """A placeholder stands where the image was."""
    _, (content,) = build(UserMessage((PNG,)), images=False)
    assert "image omitted" in content["parts"][0]["text"]


def test_a_tool_round_before_gemini_3() -> None:
    """Results share one content, have their function's name, and images follow in a content of their own."""
    _, contents = build(
        UserMessage("q"),
        AssistantMessage("Look.", (call("a", "f"), call("b", "g", "{}"))),
        ToolMessage((Text("seen"), PNG), "a"),
        ToolMessage("2", "b"),
        UserMessage("and?"),
    )
    assert contents[1:] == [
        {
            "role": "model",
            "parts": [
                {"text": "Look."},
                {"functionCall": {"name": "f", "args": {"x": 1}}},
                {"functionCall": {"name": "g", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "seen"}}},
                {"functionResponse": {"name": "g", "response": {"output": "2"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "Tool result image:"}, INLINE]},
        {"role": "user", "parts": [{"text": "and?"}]},
    ]


def test_a_tool_round_with_gemini_3() -> None:
    """Calls and results carry ids of the right alphabet, and images stand inside the result."""
    _, contents = build(
        UserMessage("q"),
        AssistantMessage(None, (call("call|1", extra=extra_content("QUJD")),)),
        ToolMessage((PNG,), "call|1"),
        model="gemini-3.5-flash",
    )
    (signed,), (result,) = contents[1]["parts"], contents[2]["parts"]
    assert signed["thoughtSignature"] == "QUJD"
    wire_id = signed["functionCall"]["id"]
    assert wire_id.startswith("call_1")
    assert result["functionResponse"] == {"name": "f", "response": {"output": ""}, "id": wire_id, "parts": [INLINE]}


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ("", {}),
        ('{" key ": 1.10, "n": 12345678901234567890}', {" key ": 1.1, "n": 12345678901234567890}),
        ("[1]", {"input": [1]}),
        ("not json", {"input": "not json"}),
    ],
)
def test_arguments_are_an_object(arguments: str, args: Json) -> None:
    """What is no object is wrapped instead of lost."""
    _, contents = build(UserMessage("q"), AssistantMessage(None, (call(arguments=arguments),)), ToolMessage("r", "a"))
    assert contents[1]["parts"][0]["functionCall"]["args"] == args


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    """It is an error result."""
    _, contents = build(UserMessage("q"), AssistantMessage(None, (call(),)), UserMessage("next"))
    assert contents[2]["parts"][0]["functionResponse"]["response"] == {"error": "No result provided"}


def signatures_of(contents: list[Json]) -> list[str | None]:
    return [part.get("thoughtSignature") for content in contents for part in content["parts"] if "functionCall" in part]


LOOP: Final = (
    UserMessage("before"),
    AssistantMessage(None, (call("old"),)),
    ToolMessage("r", "old"),
    AssistantMessage("done"),
    UserMessage("now"),
    AssistantMessage(None, (call("a"), call("b"))),
    ToolMessage("r", "a"),
    ToolMessage("r", "b"),
    AssistantMessage(None, (call("c"),)),
    ToolMessage("r", "c"),
)


def test_lost_signatures_of_the_running_loop_are_bypassed() -> None:
    """Gemini 3 checks the calls after the last real user text, and of parallel calls only the first."""
    _, contents = build(*LOOP, model="gemini-3.1-pro-preview")
    assert signatures_of(contents) == [None, BYPASS, None, BYPASS]


def test_remembered_signatures_come_first() -> None:
    """What this process remembers is better than a bypass."""
    _, contents = build(*LOOP, model="gemini-3.1-pro-preview", replay={"a": extra_content("QUJD"), "old": 7})
    assert signatures_of(contents) == [None, "QUJD", None, BYPASS]


def test_the_clients_signature_beats_the_memory() -> None:
    """A client that echoes what it got knows best."""
    _, contents = build(
        UserMessage("q"),
        AssistantMessage(None, (call(extra=extra_content("QUJD")),)),
        ToolMessage("r", "a"),
        model="gemini-3.1-pro-preview",
        replay={"a": extra_content("REVG")},
    )
    assert signatures_of(contents) == ["QUJD"]


def test_older_models_need_no_bypass() -> None:
    """Their signatures are optional."""
    _, contents = build(*LOOP, model="gemini-2.5-pro")
    assert signatures_of(contents) == [None] * 4


def test_the_signature_of_an_answer_goes_back_on_its_last_text() -> None:
    """It came with ``reasoning_details``."""
    details = [reasoning_detail("QUJD")]
    _, contents = build(
        UserMessage("q"),
        AssistantMessage((Text("a"), Text("b")), reasoning="hidden", reasoning_details=details),
        UserMessage("next"),
        model="gemini-3.5-flash",
    )
    assert contents[1]["parts"] == [{"text": "a"}, {"text": "b", "thoughtSignature": "QUJD"}]
