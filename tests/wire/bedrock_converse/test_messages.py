"""Conversations as Bedrock's messages, checked against botocore's model of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest
from fakes.botocore_model import complaints

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
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import ClientError, InvalidRequest, NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json, dump, parse
from piproxy.model import Model
from piproxy.wire.bedrock_converse.messages import Conversation
from piproxy.wire.bedrock_converse.reasoning import detail, remembered

CLAUDE: Final = Model(
    provider="amazon-bedrock",
    id="anthropic.claude-sonnet-4-5-20250929-v1:0",
    api="bedrock-converse-stream",
    base_url="https://bedrock-runtime.us-east-1.amazonaws.com",
    input=("text", "image"),
)
NOVA: Final = replace(CLAUDE, id="amazon.nova-pro-v1:0")
PNG: Final = Image("data:image/png;base64,QUJD")
BLOCK: Final = {"image": {"format": "png", "source": {"bytes": "QUJD"}}}
POINT: Final = {"cachePoint": {"type": "default"}}
EMPTY: Final = {"text": "<empty>"}


def build(
    *messages: Message,
    model: Model = CLAUDE,
    replay: Mapping[str, Json] | None = None,
    marks: bool = False,
    automatic: bool = True,
    long: bool = False,
    tools: tuple[Tool, ...] = (),
    cache_control: Json = None,
) -> tuple[list[Json], list[dict[str, Json]]]:
    chat = Chat(model="m", messages=messages, tools=tools, cache_control=cache_control)
    made = Conversation(chat, model, replay or {}, marks=marks, automatic=automatic, long=long)
    sent: list[dict[str, Json]] = parse(dump(made.messages))
    assert complaints({"messages": sent, "system": made.system}) == ""
    roles = [message["role"] for message in sent]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2), roles
    return made.system, sent


def call(id: str = "a", name: str = "f", arguments: str = '{"x": 1}') -> ToolCall:
    return ToolCall(id, name, arguments)


def use(id: str, name: str = "f", given: Json = None) -> Json:
    return {"toolUse": {"toolUseId": id, "name": name, "input": {"x": 1} if given is None else given}}


def result(id: str, *content: Json, **more: Json) -> Json:
    return {"toolResult": {"toolUseId": id, "content": list(content), **more}}


def test_system_texts_are_joined_wherever_they_stand() -> None:
    """One block, with blank lines between the texts; blank ones are refused, so they are left out."""
    system, messages = build(SystemMessage("One. "), UserMessage("Hi"), SystemMessage((Text("Two"),), "developer"))
    assert system == [{"text": "One. \n\nTwo"}]
    assert messages == [{"role": "user", "content": [{"text": "Hi"}]}]
    assert build(SystemMessage(" "), UserMessage("Hi"))[0] == []


def test_system_texts_alone_are_asked_as_a_user() -> None:
    """There must be a turn to answer."""
    assert build(SystemMessage("Say hi.")) == ([], [{"role": "user", "content": [{"text": "Say hi."}]}])


def test_roles_alternate_and_a_user_begins() -> None:
    """Neighbours are merged, and an opening answer gets a question."""
    _, messages = build(
        AssistantMessage("Hello!"), UserMessage(" a\n"), UserMessage((Text("b"), PNG)), AssistantMessage("c")
    )
    assert messages == [
        {"role": "user", "content": [EMPTY]},
        {"role": "assistant", "content": [{"text": "Hello!"}]},
        {"role": "user", "content": [{"text": " a\n"}, {"text": "b"}, BLOCK]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]


def test_blank_texts_are_left_out_or_replaced() -> None:
    """A blank block is a 400: among others it goes, alone it becomes a placeholder, and an empty answer vanishes."""
    _, messages = build(
        UserMessage((Text(" "), Text("a"))), AssistantMessage("\n"), UserMessage(""), AssistantMessage((Refusal("no"),))
    )
    assert messages == [
        {"role": "user", "content": [{"text": "a"}, EMPTY]},
        {"role": "assistant", "content": [{"text": "no"}]},
    ]


def test_a_tool_round() -> None:
    """All results and the user's next words stand in one turn, results first and never blank."""
    _, messages = build(
        UserMessage("q"),
        AssistantMessage("Look.", (call("a"), call("b", "g", "{}"))),
        UserMessage("and?"),
        ToolMessage("", "b"),
        ToolMessage((Text("seen"), PNG), "a"),
    )
    assert messages[1:] == [
        {"role": "assistant", "content": [{"text": "Look."}, use("a"), use("b", "g", {})]},
        {"role": "user", "content": [result("a", {"text": "seen"}, BLOCK), result("b", EMPTY), {"text": "and?"}]},
    ]


def test_a_call_without_a_result_gets_an_error_result() -> None:
    """Only Claude knows a status."""
    turns = (UserMessage("q"), AssistantMessage(None, (call(),)), UserMessage("next"))
    _, messages = build(*turns)
    assert messages[2]["content"][0] == result("a", {"text": "No result provided"}, status="error")
    _, messages = build(*turns, model=NOVA)
    assert messages[2]["content"][0] == result("a", {"text": "No result provided"})


def test_ids_fit_the_api_and_stay_apart() -> None:
    """Long ids and odd characters are mapped, the same way for a call and its result."""
    long = "call|" + "x" * 100
    _, messages = build(
        UserMessage("q"),
        AssistantMessage(None, (call(long + "1"), call(long + "2"))),
        ToolMessage("1", long + "1"),
        ToolMessage("2", long + "2"),
    )
    ids = [block["toolUse"]["toolUseId"] for block in messages[1]["content"]]
    assert ids == [block["toolResult"]["toolUseId"] for block in messages[2]["content"]]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", one) for one in ids)


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", {}),
        ('{"": 1, "a": [{"": 2, "b": 3}]}', {"a": [{"b": 3}]}),
        ("[1]", {"input": [1]}),
        ("not json", {"input": "not json"}),
    ],
)
def test_arguments_are_an_object_with_named_members(arguments: str, given: Json) -> None:
    """What is no object is wrapped; members without a name cannot be held."""
    _, messages = build(UserMessage("q"), AssistantMessage(None, (call(arguments=arguments),)), ToolMessage("r", "a"))
    assert messages[1]["content"] == [use("a", given=given)]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Image("data:image/jpeg;base64,QQ=="), {"image": {"format": "jpeg", "source": {"bytes": "QQ=="}}}),
        (Audio("QQ==", "wav"), {"audio": {"format": "wav", "source": {"bytes": "QQ=="}}}),
        (
            File("data:application/pdf;base64,QQ==", filename="My_report (v2).final.pdf"),
            {"document": {"format": "pdf", "name": "My report (v2) final", "source": {"bytes": "QQ=="}}},
        ),
        (File("QQ=="), {"document": {"format": "pdf", "name": "document", "source": {"bytes": "QQ=="}}}),
        (
            File("data:text/x-python;base64,QQ==", filename="a.py"),
            {"document": {"format": "txt", "name": "a", "source": {"bytes": "QQ=="}}},
        ),
        (
            File("data:text/csv,a%2Cb", filename="…"),
            {"document": {"format": "csv", "name": "document", "source": {"bytes": "YSxi"}}},
        ),
        (
            File("QQ==", filename="Table.XLSX"),
            {"document": {"format": "xlsx", "name": "Table", "source": {"bytes": "QQ=="}}},
        ),
    ],
)
def test_media(part: Part, block: Json) -> None:
    """Each kind has its block; a document has a clean name."""
    _, messages = build(UserMessage((Text("See"), part)))
    assert messages == [{"role": "user", "content": [{"text": "See"}, block]}]


def test_documents_have_a_text_beside_them_and_names_of_their_own() -> None:
    """Bedrock insists on both."""
    _, (message) = build(UserMessage((File("QQ==", filename="a.pdf"), File("QQ==", filename="a.pdf"))))
    names = [block["document"]["name"] for block in message[0]["content"][:2]]
    assert names == ["a", "a 2"]
    assert message[0]["content"][2:] == [EMPTY]


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (Image("https://example.org/x.png"), InvalidRequest),
        (Image("data:image/tiff;base64,QQ=="), InvalidRequest),
        (File(file_id="file-1"), UnsupportedParameter),
        (File("data:application/zip;base64,QQ=="), InvalidRequest),
    ],
)
def test_what_cannot_be_sent_is_refused(part: Part, error: type[ClientError]) -> None:
    """Remote images, stored files and unknown types are the client's error, which knows the part."""
    with pytest.raises(error) as caught:
        build(UserMessage((part,)))
    assert isinstance(caught.value, NeedsInlineImages) or caught.value.part is part


SIGNED: Final = {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}
TURN: Final = AssistantMessage("Look.", (call("t1", arguments="{}"),), reasoning="Hm.")


def after(turn: AssistantMessage, replay: Mapping[str, Json], model: Model = CLAUDE) -> list[Json]:
    _, messages = build(UserMessage("q"), turn, ToolMessage("r", "t1"), replay=replay, model=model)
    return list(messages[1]["content"])


def test_a_remembered_turn_goes_back_in_its_own_order() -> None:
    """Thinking stands where it stood, also behind words."""
    layout = [{"text": "Look."}, {"reasoningContent": SIGNED}, {"toolUse": "t1"}]
    content = after(TURN, {"t1": remembered(CLAUDE.id, layout)})
    assert content == [{"text": "Look."}, {"reasoningContent": SIGNED}, use("t1", given={})]


def test_a_turn_that_the_client_changed_keeps_its_thinking_in_front() -> None:
    """The client's words count; the thinking before them is still the model's."""
    layout = [{"reasoningContent": SIGNED}, {"text": "Other words."}, {"toolUse": "t1"}]
    content = after(TURN, {"t1": remembered(CLAUDE.id, layout)})
    assert content == [{"reasoningContent": SIGNED}, {"text": "Look."}, use("t1", given={})]


@pytest.mark.parametrize("known", [remembered("other.model", [{"reasoningContent": SIGNED}]), 7, {"model": CLAUDE.id}])
def test_another_models_thinking_stays_behind(known: Json) -> None:
    """Its signature would be refused; unsigned thinking is not replayed at all."""
    assert after(TURN, {"t1": known}) == [{"text": "Look."}, use("t1", given={})]


def test_thinking_comes_back_in_reasoning_details_too() -> None:
    """For clients that echo it, and processes that forgot."""
    encrypted = {"redactedContent": "QUJD"}
    turn = replace(TURN, reasoning_details=[{"type": "x"}, detail(encrypted, CLAUDE.id), detail(SIGNED, "other.model")])
    assert after(turn, {})[0] == {"reasoningContent": encrypted}
    assert len(after(turn, {})) == 3


def test_cache_points_stand_behind_system_and_last_user_turn() -> None:
    """That is where pi sets them, for an hour with long retention, and nowhere without caching."""
    turns = (SystemMessage("s"), UserMessage("a"), AssistantMessage("b"), UserMessage("c"))
    system, messages = build(*turns, marks=True)
    assert system == [{"text": "s"}, POINT]
    assert [message["content"][1:] for message in messages] == [[], [], [POINT]]
    system, messages = build(*turns, marks=True, long=True)
    assert system[1] == messages[2]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    for system, messages in (build(*turns), build(*turns, marks=True, automatic=False)):
        assert "cachePoint" not in str((system, messages))


def test_the_clients_own_marks_replace_ours() -> None:
    """They stand where the client put them, with its own time to live."""
    mark = {"type": "ephemeral", "ttl": "1h"}
    system, messages = build(
        SystemMessage((Text("fixed", cache_control=mark),)),
        SystemMessage("changing"),
        UserMessage((Text("a", cache_control={"type": "ephemeral"}), Text("b"))),
        AssistantMessage("c", cache_control=mark),
        UserMessage("d"),
        marks=True,
    )
    hour = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert system == [{"text": "fixed"}, hour, {"text": "changing"}]
    assert [message["content"] for message in messages] == [
        [{"text": "a"}, POINT, {"text": "b"}],
        [{"text": "c"}, hour],
        [{"text": "d"}],
    ]


def test_a_mark_at_the_root_asks_for_ours() -> None:
    """Its time to live is kept."""
    system, _ = build(
        SystemMessage("s"), UserMessage("a"), marks=True, cache_control={"type": "ephemeral", "ttl": "1h"}
    )
    assert system[1] == {"cachePoint": {"type": "default", "ttl": "1h"}}


def test_marks_are_left_out_where_the_model_takes_none() -> None:
    """A cache point would be refused."""
    _, messages = build(UserMessage((Text("a", cache_control={"type": "ephemeral"}),)), model=NOVA)
    assert messages[0]["content"] == [{"text": "a"}]
