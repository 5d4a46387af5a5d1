"""A conversation with tools and thinking can go on with any other provider, turn by turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from piproxy import jsontext
from piproxy.chat import AssistantMessage, Chat, Message, SystemMessage, Tool, ToolCall, ToolMessage, UserMessage
from piproxy.events import Event, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStart
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.room import Options, WireRequest
from piproxy.wire.rooms import ROOMS, room_for

SAMPLES: Final = Path(__file__).parent / "samples"
CONTENT_TYPES: Final = {".sse": "text/event-stream", ".bin": "application/vnd.amazon.eventstream"}
APIS: Final = tuple(api for api in ROOMS if api != "demo")
OPTIONS: Final = Options(
    env={
        "AZURE_OPENAI_BASE_URL": "https://resource.openai.azure.com/openai/v1",
        "GOOGLE_CLOUD_LOCATION": "us-central1",
        "GOOGLE_CLOUD_PROJECT": "project",
    },
    wire_id="4f9a0c1e8b7d4c55a3e2d1f0b6c7a891",
)
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT: Final = Chat(
    model="provider/model",
    messages=(SystemMessage("  You help. \n"), UserMessage("What is the weather in Köln?")),
    stream=True,
    tools=(Tool("get_weather", "The weather of a city.", SCHEMA), Tool("get_time", "The time in a city.", SCHEMA)),
    max_tokens=2000,
)
ID_RULES: Final = {
    "mistral-conversations": r"[A-Za-z0-9]{9}",
    "anthropic-messages": r"[A-Za-z0-9_-]{1,64}",
    "bedrock-converse-stream": r"[A-Za-z0-9_.:-]{1,64}",
    "google-generative-ai": r"[A-Za-z0-9_-]{1,64}",
    "openai-responses": r"[A-Za-z0-9_-]{1,64}",
}
RESULT_KEYS: Final = ("tool_call_id", "tool_use_id", "toolUseId", "call_id", "toolCallId", "id")
ODD_IDS: Final = (
    "call_abc|fc_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "toolu_01A09q90qw90lq917835lq9",
    "9chars123",
    "call.with:odd/chars ß",
    "x" * 200,
)


def model(api: str) -> Model:
    name = "gemini-3.5-flash" if api.startswith("google") else "model"
    base = "https://chatgpt.com/backend-api" if "codex" in api else "https://provider.example/v1"
    return Model(provider="provider", id=name, api=api, base_url=base, reasoning=True, input=("text", "image"))


def build(api: str, messages: Sequence[Message], replay: Mapping[str, Json] | None = None) -> WireRequest:
    options = replace(OPTIONS, replay=replay or {})
    return room_for(api).build_request(replace(CHAT, messages=tuple(messages)), model(api), options)


@cache
def turn(api: str) -> tuple[AssistantMessage, Mapping[str, Json]]:
    """An assistant turn with calls as this API gives it, as a client would keep it, and what must be remembered."""
    for path in sorted((SAMPLES / api).glob("*.*")):
        if path.suffix not in CONTENT_TYPES or path.name.startswith("error-"):
            continue
        parser = room_for(api).stream_parser(build(api, CHAT.messages), CONTENT_TYPES[path.suffix])
        events = [*parser.feed(path.read_bytes()), *parser.end()]
        if any(isinstance(event, ToolCallStart) and not event.custom for event in events):
            return folded(events), parser.replay
    raise AssertionError(f"no sample of {api} calls a tool")


def folded(events: Iterable[Event]) -> AssistantMessage:
    texts: dict[str, str] = {"content": "", "reasoning": ""}
    calls: list[ToolCall] = []
    for event in events:
        match event:
            case TextDelta(text):
                texts["content"] += text
            case ReasoningDelta(text):
                texts["reasoning"] += text
            case ToolCallStart():
                calls.append(ToolCall(event.id, event.name, "", event.custom, event.extra_content))
            case ToolCallDelta(index, arguments):
                calls[index] = replace(calls[index], arguments=calls[index].arguments + arguments)
            case _:
                pass
    return AssistantMessage(texts["content"] or None, tuple(calls), texts["reasoning"] or None)


def answered(said: AssistantMessage, tag: str) -> list[Message]:
    return [said, *(ToolMessage(f" {tag}-{n}\n", call.id) for n, call in enumerate(said.tool_calls))]


def strings(value: Json) -> Iterator[str]:
    """Every string of a body in order; JSON inside a string is looked into, and its numbers are said."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            try:
                yield from strings(jsontext.parse(value))
            except ValueError:
                return
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    else:
        yield repr(value)


def in_order(parts: Iterable[str], said: Sequence[str]) -> str:
    """The first part that is missing behind the ones before it; ``""`` if all are there."""
    at = 0
    for part in parts:
        at = next((n for n in range(at, len(said)) if part in said[n]), -1)
        if at < 0:
            return part
    return ""


def ids_of(value: Json) -> tuple[list[str], list[str]]:
    """The ids of calls and of results in a body, whatever the API calls them."""
    calls: list[str] = []
    results: list[str] = []

    def look(node: Json) -> None:
        if isinstance(node, list):
            for item in node:
                look(item)
        if not isinstance(node, dict):
            return
        kind = str(node.get("type", ""))
        for key, list_ in (
            ("toolUse", calls),
            ("functionCall", calls),
            ("toolResult", results),
            ("functionResponse", results),
        ):
            inner = node.get(key)
            if isinstance(inner, dict):
                list_.append(next(str(inner[name]) for name in RESULT_KEYS if name in inner))
        if kind in ("tool_use", "function", "toolCall") and "id" in node:
            calls.append(node["id"])
        elif kind == "function_call":
            calls.append(node["call_id"])
        elif kind in ("tool_result", "function_call_output") or node.get("role") in ("tool", "toolResult"):
            results.append(next(str(node[name]) for name in RESULT_KEYS if name in node))
        for item in node.values():
            look(item)

    look(value)
    return calls, results


@pytest.mark.parametrize("target", APIS)
@pytest.mark.parametrize("source", APIS)
def test_a_turn_moves_to_every_other_api(source: str, target: str) -> None:
    """Words, calls, arguments and results of one provider's turn are all there in the next one's request."""
    said, replay = turn(source)
    messages = [*CHAT.messages, *answered(said, "result"), UserMessage("Thanks! \n")]
    body = jsontext.parse(build(target, messages, replay if source == target else None).body)
    everything = list(strings(body))
    told = [" result-0\n", "Thanks! \n"]
    if said.content:
        assert in_order([str(said.content), *told], everything) == ""
    assert in_order(["What is the weather in Köln?", said.tool_calls[0].name, *told], everything) == ""
    for call in said.tool_calls:
        for text in strings(jsontext.parse(call.arguments)):
            assert any(text in other for other in everything), (call.arguments, text)
    calls, results = ids_of(body)
    assert sorted(calls) == sorted(results)
    assert len(set(calls)) == len(said.tool_calls)


@pytest.mark.parametrize("target", APIS)
def test_a_conversation_that_visited_every_api(target: str) -> None:
    """Its turns come from everywhere, and every word stands in the request, in order; the ids meet the API's rule."""
    messages: list[Message] = [*CHAT.messages]
    expected: list[str] = []
    for api in APIS:
        said, _ = turn(api)
        messages += [*answered(said, f"{api}-result"), UserMessage(f"Now leave {api}.")]
        expected += [*([str(said.content)] if said.content else []), f" {api}-result-0\n", f"Now leave {api}."]
    body = jsontext.parse(build(target, messages).body)
    assert in_order(expected, list(strings(body))) == ""
    calls, results = ids_of(body)
    assert sorted(calls) == sorted(results)
    if target != "openai-completions":  # there an id may come again in a later turn, so it goes through as it is
        assert len(set(calls)) == len(calls)


@pytest.mark.parametrize("target", APIS)
def test_ids_of_any_shape_are_brought_into_the_apis_form(target: str) -> None:
    """Deterministic, distinct, and the same for a call and its result."""
    calls = tuple(ToolCall(odd, "get_weather", f'{{"city": "{n}"}}') for n, odd in enumerate(ODD_IDS))
    messages = [*CHAT.messages, *answered(AssistantMessage(None, calls), "result"), UserMessage("Next")]
    sent, returned = ids_of(jsontext.parse(build(target, messages).body))
    again, _ = ids_of(jsontext.parse(build(target, messages).body))
    assert sent == returned == again
    assert len(set(sent)) == len(ODD_IDS)
    rule = ID_RULES.get(target)
    assert rule is None or all(re.fullmatch(rule, one) for one in sent), sent
