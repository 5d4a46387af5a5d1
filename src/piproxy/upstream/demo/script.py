"""What the demo provider answers: a pure function from a request body to steps (format: :mod:`piproxy.wire.demo`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from piproxy import jsontext
from piproxy.jsontext import Json
from piproxy.upstream.demo.example import example
from piproxy.upstream.demo.steps import Break, Data, Hang, Head, Pause, Step
from piproxy.upstream.demo.wishes import Wishes, wishes

Piece: TypeAlias = tuple[str, dict[str, Json]]
"""An event of the wire format: its name and its data."""

_WORD: Final = re.compile(r"\S+\s*|\s+")
_CUT: Final = re.compile(r"(?s).{1,6}")
"""Argument text comes in pieces of six characters."""
_FAILURES: Final[Mapping[int, tuple[str, str | None, str]]] = {
    400: ("invalid_request_error", None, "The demo provider does not understand this request."),
    401: ("authentication_error", "invalid_api_key", "The demo provider does not accept this key."),
    404: ("not_found_error", "model_not_found", "The demo provider does not know this model."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Too many requests to the demo provider; try again in 2 s."),
    500: ("api_error", None, "The demo provider failed."),
    529: ("overloaded_error", None, "The demo provider is overloaded."),
}
_OTHER: Final = ("api_error", None, "The demo provider answered as it was asked to.")
_CACHED: Final = {"cache_read": 64, "cache_write": 32}


@dataclass(frozen=True, slots=True)
class Ask:
    """The request, and what its last user message wishes."""

    body: Mapping[str, Json]
    wishes: Wishes

    @property
    def messages(self) -> Sequence[Mapping[str, Json]]:
        messages: Sequence[Mapping[str, Json]] = self.body["messages"]
        return messages

    @property
    def tool_results(self) -> list[str]:
        """The texts of the tool messages that the conversation ends with."""
        texts: list[str] = []
        for message in reversed(self.messages):
            if message["role"] != "tool":
                break
            texts.insert(0, message["text"])
        return texts


def script(body: bytes) -> Iterator[Step]:
    """Everything that the provider does about one request."""
    request = jsontext.parse(body)
    user = next((m["text"] for m in reversed(request["messages"]) if m["role"] == "user"), "")
    ask = Ask(request, wishes(user, request["model"]))
    wish = ask.wishes
    if wish.silent:
        yield Hang()
    elif wish.unreachable:
        yield Break()
    elif wish.error is not None and wish.error >= 400:
        yield Head(wish.error, _failure_headers(wish.error))
        yield Data(jsontext.dump(_failure(wish.error)))
    else:
        yield Head(200, {"content-type": "text/event-stream"})
        yield _frame("start", {"id": f"demo-{sha256(body).hexdigest()[:8]}", "model": request["model"]})
        yield from _answer(ask)


def _answer(ask: Ask) -> Iterator[Step]:
    wish = ask.wishes
    pieces = list(_pieces(ask))
    reason = "tool_calls" if any(name == "call" for name, _ in pieces) else "stop"
    limit = ask.body.get("max_tokens")
    if limit is not None and len(pieces) > limit:
        pieces, reason = pieces[:limit], "length"
    if wish.error == 200 or wish.ending is not None:
        pieces = pieces[: max(1, len(pieces) // 2)]
    for name, data in pieces:
        if wish.slow:
            yield Pause(wish.slow)
        yield _frame(name, data)
    if wish.error == 200:
        yield _frame("error", _failure(500))
        return
    match wish.ending:
        case "break":
            yield Break()
        case "hang":
            yield Hang()
        case "garbage":
            yield Data(b"event: text\ndata: {not JSON\n\n")
        case "length" | "filter" | None:
            yield _frame("usage", _usage(ask, pieces))
            words = {"length": "length", "filter": "content_filter"}
            yield _frame("stop", {"reason": words.get(wish.ending or "", reason)})


def _pieces(ask: Ask) -> Iterator[Piece]:
    """The whole answer: thinking, text or a refusal, and tool calls."""
    thought = ask.wishes.thinking
    if thought is not None and (ask.body["thinking"] != "off" or ask.body["model"] != "thinking"):
        for word in _WORD.findall(thought or "The user wants to see a model think. I will say the words back."):
            yield "thinking", {"text": word}
    if ask.wishes.refuse:
        for word in _WORD.findall("I would rather not answer that."):
            yield "refusal", {"text": word}
        return
    calls = list(_calls(ask))
    if not calls:
        for word in _WORD.findall(_text(ask)):
            yield "text", {"text": word}
    made = sum(len(message.get("calls", ())) for message in ask.messages)
    for index, (name, arguments, custom) in enumerate(calls):
        yield "call", {"id": f"call_demo_{made + index + 1}", "name": name, "custom": custom}
        for piece in _CUT.findall(arguments):
            yield "arguments", {"call": index, "text": piece}


def _text(ask: Ask) -> str:
    said = ask.wishes.text
    if ask.body.get("format") == "json":
        value = example(ask.body["schema"], said) if ask.body.get("schema") else {"you_said": said}
        return jsontext.dump(value).decode()
    if results := ask.tool_results:
        return f"The tool answered: {' '.join(results)}"
    images = sum(message.get("images", 0) for message in ask.messages[-1:])
    seen = f"I got {images} image{'s' * (images > 1)}. " if images else ""
    echo = " ".join([f"You said: {said}"] * ask.wishes.repeat) if said else "You said nothing."
    text = f"Hello from piproxy. {seen}{echo}"
    ends = [at for stop in ask.body["stop"] if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def _calls(ask: Ask) -> Iterator[tuple[str, str, bool]]:
    """Name, argument text, and whether the tool takes free text. After a tool's answer nothing is called again."""
    choice = ask.body.get("tool_choice") or {"mode": "auto", "names": []}
    if ask.tool_results or choice["mode"] == "none":
        return
    tools = {tool["name"]: tool for tool in ask.body["tools"]}
    wished = list(ask.wishes.calls)
    forced = choice["mode"] in ("required", "named") or ask.body["model"] == "tools"
    if not wished and forced and tools:
        wished = [(choice["names"][0] if choice["names"] else next(iter(tools)), None)]
    for name, arguments in wished:
        tool = tools.get(name, {"parameters": None, "custom": False})
        yield name, _arguments(tool, ask.wishes.text) if arguments is None else arguments, tool["custom"]


def _arguments(tool: Mapping[str, Json], text: str) -> str:
    return text if tool["custom"] else jsontext.dump(example(tool["parameters"], text)).decode()


def _usage(ask: Ask, pieces: Sequence[Piece]) -> dict[str, Json]:
    """Words are tokens."""
    texts = [ask.body["system"], *(message["text"] for message in ask.messages)]
    thought = sum(name == "thinking" for name, _ in pieces)
    usage: dict[str, Json] = {"input": sum(len(text.split()) for text in texts), "output": len(pieces)}
    if thought:
        usage["reasoning"] = thought
    return usage | _CACHED if ask.wishes.usage else usage


def _failure(status: int) -> dict[str, Json]:
    kind, code, message = _FAILURES.get(status, _OTHER)
    return {"error": {"message": message, "type": kind, "code": code}}


def _failure_headers(status: int) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    return headers | {"retry-after": "2"} if status == 429 else headers


def _frame(name: str, data: Mapping[str, Json]) -> Data:
    return Data(b"event: %s\ndata: %s\n\n" % (name.encode(), jsontext.dump(data)))
