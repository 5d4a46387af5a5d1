"""Repairs of a history."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from piproxy import transcript
from piproxy.chat import (
    AssistantMessage,
    Content,
    Image,
    Message,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.transcript import NO_IMAGES, NO_RESULT, NO_TOOL_IMAGES

PIXEL = Image("data:image/png;base64,AAAA")
MARK = {"type": "ephemeral"}


def ask(*ids: str) -> AssistantMessage:
    return AssistantMessage(tool_calls=tuple(ToolCall(call_id, f"do_{call_id}", "{}") for call_id in ids))


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (None, ()),
        ("", ("",)),
        (" a ", (" a ",)),
        ((Text("a"), PIXEL, Refusal("b"), Text("")), ("a", "b", "")),
    ],
)
def test_texts(content: Content | None, texts: tuple[str, ...]) -> None:
    """The texts of a content come out unchanged and in order."""
    assert transcript.texts(content) == texts
    assert transcript.joined(content) == "\n".join(texts)


def test_system_messages_are_found() -> None:
    """The ones that open the conversation, or all of them; developer messages are of the same kind."""
    opening, second, later = SystemMessage("1"), SystemMessage("2", role="developer"), SystemMessage("3")
    hello = UserMessage("hi")
    messages = (opening, second, hello, later)
    assert transcript.leading_system(messages) == ((opening, second), (hello, later))
    assert transcript.all_system(messages) == ((opening, second, later), (hello,))
    assert transcript.leading_system((opening,)) == ((opening,), ())


def test_names_by_id() -> None:
    """A result's function name is found by the id of its call."""
    assert dict(transcript.call_names((ask("a", "b"), ToolMessage("x", "a")))) == {"a": "do_a", "b": "do_b"}


UNANSWERED = [
    pytest.param(
        (UserMessage("q"), ask("a"), UserMessage("r")),
        (UserMessage("q"), ask("a"), ToolMessage(NO_RESULT, "a", "do_a"), UserMessage("r")),
        id="before the next user turn",
    ),
    pytest.param(
        (ask("a"), AssistantMessage("done")),
        (ask("a"), ToolMessage(NO_RESULT, "a", "do_a"), AssistantMessage("done")),
        id="before the next assistant turn",
    ),
    pytest.param((ask("a"),), (ask("a"), ToolMessage(NO_RESULT, "a", "do_a")), id="at the end"),
    pytest.param(
        (ask("a", "b"), ToolMessage("1", "b"), UserMessage("r")),
        (ask("a", "b"), ToolMessage(NO_RESULT, "a", "do_a"), ToolMessage("1", "b"), UserMessage("r")),
        id="one of two",
    ),
    pytest.param(
        (ask("a", "b"), ToolMessage("2", "b"), ToolMessage("1", "a")),
        (ask("a", "b"), ToolMessage("1", "a"), ToolMessage("2", "b")),
        id="answered in another order",
    ),
    pytest.param(
        (ask("a"), UserMessage("hurry"), ToolMessage("1", "a")),
        (ask("a"), ToolMessage("1", "a"), UserMessage("hurry")),
        id="a late result moves up",
    ),
    pytest.param(
        (ask("a"), ToolMessage("1", "a"), ask("b"), ToolMessage("2", "b")),
        (ask("a"), ToolMessage("1", "a"), ask("b"), ToolMessage("2", "b")),
        id="complete",
    ),
]


@pytest.mark.parametrize(("messages", "fixed"), UNANSWERED)
def test_every_call_is_answered(messages: tuple[Message, ...], fixed: tuple[Message, ...]) -> None:
    """A call without a result gets one that says so; real results stand right behind their calls."""
    assert transcript.with_results(messages) == fixed


ORPHANS = [
    pytest.param((ToolMessage("1", "a"),), (UserMessage("1"),), id="no call at all"),
    pytest.param(
        (ask("a"), ToolMessage("1", "a"), ToolMessage("again", "a")),
        (ask("a"), ToolMessage("1", "a"), UserMessage("again")),
        id="a second result",
    ),
    pytest.param(
        (ask("a"), ToolMessage("1", "a"), AssistantMessage("ok"), ToolMessage("late", "a", cache_control=MARK)),
        (ask("a"), ToolMessage("1", "a"), AssistantMessage("ok"), UserMessage("late", cache_control=MARK)),
        id="behind another turn",
    ),
    pytest.param(
        (ask("a"), ToolMessage((Text("x"), PIXEL), "b"), ToolMessage("1", "a")),
        (ask("a"), UserMessage((Text("x"), PIXEL)), ToolMessage("1", "a")),
        id="unknown id",
    ),
]


@pytest.mark.parametrize(("messages", "fixed"), ORPHANS)
def test_orphaned_results_become_the_users_words(messages: tuple[Message, ...], fixed: tuple[Message, ...]) -> None:
    """A result that no call waits for is kept, as a user turn."""
    assert transcript.without_orphans(messages) == fixed


def test_repeated_ids_are_told_apart() -> None:
    """Servers that number calls anew in each turn: later calls get ids of their own, and their results follow."""
    messages = (ask("0", "0-2"), ToolMessage("1", "0"), ToolMessage("2", "0-2"), ask("0"), ToolMessage("3", "0"))
    fixed = transcript.unique_ids(messages)
    assert transcript.call_ids(fixed) == ("0", "0-2", "0-3")
    assert [message.tool_call_id for message in fixed if isinstance(message, ToolMessage)] == ["0", "0-2", "0-3"]


@pytest.mark.parametrize(
    ("results", "answers"),
    [
        (("one", "two"), [("a", "one"), ("a-2", "two")]),
        (("one",), [("a", "one"), ("a-2", NO_RESULT)]),
        ((), [("a", NO_RESULT), ("a-2", transcript.NO_RESULT)]),
        (("one", "two", "three"), [("a", "one"), ("a-2", "two")]),
    ],
)
def test_calls_of_one_turn_with_one_id_are_answered_in_order(
    results: Sequence[str], answers: Sequence[tuple[str, str]]
) -> None:
    """The first result is the first call's; with or without ids of their own, and a surplus one is said by the user."""
    told_before = tuple(ToolMessage(result, "a") for result in results)
    messages: transcript.Messages = (ask("a", "a"), *told_before, UserMessage("go on"))
    fixed = transcript.repaired(messages, takes_images=True)
    told = [(message.tool_call_id, message.content) for message in fixed if isinstance(message, ToolMessage)]
    assert told == list(answers)
    assert [message.content for message in fixed[3:]] == [*results[2:], "go on"]
    alike = transcript.with_results(transcript.without_orphans(messages))
    assert [message.content for message in alike] == [message.content for message in fixed]


def test_distinct_ids_stay() -> None:
    """A history without repetition is not touched."""
    messages = (ask("a"), ToolMessage("1", "a"), ask("b"), ToolMessage("2", "b"))
    assert transcript.unique_ids(messages) == messages


def test_system_messages_alone_get_a_question() -> None:
    """The last of them is said by the user, with its cache mark; any other conversation has something to answer."""
    first, second = SystemMessage("a", "developer"), SystemMessage("b", cache_control=MARK)
    assert transcript.with_a_question((first, second)) == (first, UserMessage("b", cache_control=MARK))
    for messages in ((), (first, UserMessage("b")), (UserMessage("a"), second)):
        assert transcript.with_a_question(messages) == messages


def test_images_for_the_blind() -> None:
    """Each run of images becomes one text; texts around it stay."""
    messages = (
        UserMessage((Text("a"), PIXEL, PIXEL, Text("b"), PIXEL)),
        ToolMessage((PIXEL,), "x"),
        UserMessage("plain"),
    )
    assert transcript.without_images(messages) == (
        UserMessage((Text("a"), Text(NO_IMAGES), Text("b"), Text(NO_IMAGES))),
        ToolMessage((Text(NO_TOOL_IMAGES),), "x"),
        UserMessage("plain"),
    )
    assert transcript.has_images(messages)
    assert not transcript.has_images(transcript.without_images(messages))


def test_neighbours_of_one_role_merge() -> None:
    """Two user turns become one whose parts stay apart; cache marks keep their places."""
    assert transcript.merged_turns((UserMessage("a", cache_control=MARK), UserMessage((Text("b"), PIXEL)))) == (
        UserMessage((Text("a", MARK), Text("b"), PIXEL)),
    )
    assert transcript.merged_turns(
        (AssistantMessage("a", reasoning="r", refusal="no"), AssistantMessage("b", (ToolCall("i", "f", "{}"),)))
    ) == (AssistantMessage((Text("a"), Refusal("no"), Text("b")), (ToolCall("i", "f", "{}"),), reasoning="r"),)


def test_a_turn_that_calls_tools_is_complete() -> None:
    """Nothing is merged behind tool calls, and other roles are never merged."""
    messages: tuple[Message, ...] = (ask("a"), AssistantMessage("b"), SystemMessage("c"), SystemMessage("d"))
    assert transcript.merged_turns(messages) == messages


def test_the_usual_set() -> None:
    """Orphans, missing results, repeated ids and images are all repaired in one go."""
    messages = (ToolMessage("lost", "z"), ask("a"), ask("a"), ToolMessage((PIXEL,), "a"))
    assert transcript.repaired(messages, takes_images=False) == (
        UserMessage("lost"),
        ask("a"),
        ToolMessage(NO_RESULT, "a", "do_a"),
        AssistantMessage(tool_calls=(ToolCall("a-2", "do_a", "{}"),)),
        ToolMessage((Text(NO_TOOL_IMAGES),), "a-2"),
    )
    assert transcript.repaired((UserMessage((PIXEL,)),), takes_images=True) == (UserMessage((PIXEL,)),)


def test_a_conversation_keeps_its_hash() -> None:
    """All requests of a conversation share the hash; another model, prompt or first word has another one."""
    opening = (SystemMessage("be brief"), UserMessage("hi"))
    grown = (*opening, AssistantMessage("hello"), UserMessage("more"))
    first = transcript.session_hash("m", opening)
    assert transcript.session_hash("m", grown) == first
    others = {
        transcript.session_hash("n", opening),
        transcript.session_hash("m", (SystemMessage("be"), UserMessage("hi"))),
        transcript.session_hash("m", (SystemMessage("be brief"), UserMessage("ho"))),
        transcript.session_hash("m", (UserMessage("be brief"), UserMessage("hi"))),
        transcript.session_hash("m", (SystemMessage("be briefhi"), UserMessage(""))),
        transcript.session_hash("m", ()),
    }
    assert len(others) == 6
    assert first not in others
    assert transcript.session_hash("m", (UserMessage("\ud83d"),))
