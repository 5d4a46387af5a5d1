"""Request bodies of real clients, in ``clients/<client>-<what it shows>.json``.

Most were recorded from the clients themselves (openai-python 3.54, openai-node, langchain-openai, pydantic-ai,
openai-agents, instructor, LiteLLM, the AI SDK's providers); the others are written after the clients' sources as
field.md, 3.2 describes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from piproxy import chat
from piproxy.openai.decode import decode

BODIES = sorted((Path(__file__).parent / "clients").glob("*.json"))


def test_there_are_bodies() -> None:
    """An empty directory would let everything pass."""
    assert len(BODIES) >= 40


def _texts(content: chat.Content | None) -> Any:
    if content is None or isinstance(content, str):
        return content
    return [part.text for part in content if isinstance(part, chat.Text | chat.Refusal)]


def _sent_texts(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return [part[part["type"]] for part in content if part["type"] in {"text", "refusal"}]


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_what_clients_send_is_accepted_whole(path: Path) -> None:
    """No refusal, nothing ignored, and every text, argument and schema as it was sent."""
    body = path.read_bytes()
    sent = json.loads(body)
    decoded = decode(body)
    assert decoded.ignored == ()
    asked = decoded.chat
    assert asked.model == sent["model"]
    assert asked.stream is bool(sent.get("stream"))
    assert len(asked.messages) == len(sent["messages"])
    for message, original in zip(asked.messages, sent["messages"], strict=True):
        assert _texts(message.content) == _sent_texts(original.get("content"))
        if isinstance(message, chat.AssistantMessage):
            calls = original.get("tool_calls") or []
            assert [call.id for call in message.tool_calls] == [call["id"] for call in calls]
            assert [call.arguments for call in message.tool_calls] == [
                call["custom"]["input"] if call["type"] == "custom" else call["function"]["arguments"] for call in calls
            ]
            assert [call.extra_content for call in message.tool_calls] == [call.get("extra_content") for call in calls]
            assert message.reasoning == original.get("reasoning_content", original.get("reasoning"))
    tools = [tool[tool["type"]] for tool in sent.get("tools") or ()]
    assert [tool.name for tool in asked.tools] == [tool["name"] for tool in tools]
    assert [tool.parameters for tool in asked.tools] == [tool.get("parameters") for tool in tools]
