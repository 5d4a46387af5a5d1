from __future__ import annotations

from typing import Any

import pytest
from fakes.completions import chat, model

from piproxy.chat import AssistantMessage, Image, Message, SystemMessage, Text, ToolCall, ToolMessage, UserMessage
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options

JSON = {"Accept": "application/json", "Content-Type": "application/json"}


def headers(to: Model, *messages: Message, **options: Any) -> dict[str, str | None]:
    return dict(build_request(chat(*messages), to, Options(**options)).headers)


def test_plain() -> None:
    """Nothing but the content type, and the catalog's own headers over it."""
    assert headers(model()) == JSON
    assert headers(model(headers={"accept": "x", "NVCF": "1"})) == {
        "accept": "x",
        "Content-Type": "application/json",
        "NVCF": "1",
    }


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("openai", {"session_id": "s", "x-client-request-id": "s", "x-session-affinity": "s"}),
        ("openai-nosession", {"x-client-request-id": "s", "x-session-affinity": "s"}),
        ("openrouter", {"x-session-id": "s"}),
    ],
)
def test_affinity(format_: str, expected: dict[str, str]) -> None:
    """A session is named in the upstream's own headers, and only with a session and a cache."""
    to = model(compat={"sendSessionAffinityHeaders": True, "sessionAffinityFormat": format_})
    assert headers(to, session_id="s") == JSON | expected
    assert headers(to) == JSON
    assert headers(to, session_id="s", cache="none") == JSON
    assert headers(model(), session_id="s") == JSON


def test_opencode_session() -> None:
    """opencode routes by session, whatever the cache."""
    to = model("opencode-go", "https://opencode.ai/inference/go/openai/v1")
    assert headers(to, session_id="s", cache="none") == JSON | {"x-opencode-session": "s"}
    assert headers(to) == JSON


@pytest.mark.parametrize(
    ("messages", "initiator", "vision"),
    [
        ((UserMessage("x"),), "user", None),
        ((UserMessage((Text("x"), Image("data:image/png;base64,AA"))),), "user", "true"),
        ((UserMessage("x"), AssistantMessage(None, (ToolCall("1", "f", "{}"),)), ToolMessage("r", "1")), "agent", None),
        ((UserMessage("x"), AssistantMessage("y")), "agent", None),
        ((UserMessage("x"), SystemMessage("y")), "agent", None),
    ],
)
def test_copilot(messages: tuple[Message, ...], initiator: str, vision: str | None) -> None:
    """Copilot is told who starts the turn, and whether there is something to see."""
    found = headers(model("github-copilot", "https://api.githubcopilot.com"), *messages)
    assert found["X-Initiator"] == initiator
    assert found["Openai-Intent"] == "conversation-edits"
    assert found.get("Copilot-Vision-Request") == vision
