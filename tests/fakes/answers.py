"""One answer in the bytes of every provider API, so that the same test can be put to every room."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fakes.eventstream import event

Call = tuple[str, str]
"""Name and argument text."""


@dataclass(frozen=True)
class Said:
    """What the model says, in this order. It counts 11 input and 7 output tokens, and 4 from the cache."""

    thinking: Sequence[str] = ()
    text: Sequence[str] = ()
    calls: Sequence[Call] = ()


def _sse(*frames: Any, named: bool = False) -> bytes:
    lines = (f"event: {frame['type']}\n" if named else "" for frame in frames)
    return b"".join(
        f"{line}data: {frame if isinstance(frame, str) else json.dumps(frame)}\n\n".encode()
        for line, frame in zip(lines, frames, strict=True)
    )


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _completions(said: Said) -> bytes:
    def chunk(finish: str | None = None, **delta: Any) -> Any:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "up-1", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice]}

    frames = [chunk(role="assistant", content="")]
    frames += [chunk(reasoning_content=piece) for piece in said.thinking]
    frames += [chunk(content=piece) for piece in said.text]
    for index, (name, arguments) in enumerate(said.calls):
        first, second = _halves(arguments)
        start = {"index": index, "id": f"call_{index}", "type": "function"}
        frames.append(chunk(tool_calls=[{**start, "function": {"name": name, "arguments": ""}}]))
        frames += [chunk(tool_calls=[{"index": index, "function": {"arguments": half}}]) for half in (first, second)]
    frames.append(chunk("tool_calls" if said.calls else "stop"))
    usage = {"prompt_tokens": 15, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
    return _sse(*frames, {"id": "up-1", "choices": [], "usage": usage}, "[DONE]")


def _mistral(said: Said) -> bytes:
    def chunk(finish: str | None = None, **delta: Any) -> Any:
        return {"id": "up-1", "model": "up", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    frames = [chunk(role="assistant", content="")]
    thoughts = [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]} for piece in said.thinking]
    frames += [chunk(content=[thought]) for thought in thoughts]
    frames += [chunk(content=piece) for piece in said.text]
    calls = [
        {"id": f"abcdefgh{index}", "index": index, "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(said.calls)
    ]
    if calls:
        frames.append(chunk(content="", tool_calls=calls))
    usage = {"prompt_tokens": 15, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
    return _sse(*frames, {**chunk("tool_calls" if calls else "stop"), "usage": usage}, "[DONE]")


def _responses(said: Said) -> bytes:
    base = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "up", "output": []}
    frames: list[Any] = [{"type": "response.created", "response": base}]
    at = 0
    if said.thinking:
        item = {"id": "rs_0", "type": "reasoning", "summary": []}
        frames.append({"type": "response.output_item.added", "output_index": at, "item": item})
        for piece in said.thinking:
            kind = "response.reasoning_summary_text.delta"
            frames.append({"type": kind, "item_id": "rs_0", "output_index": at, "summary_index": 0, "delta": piece})
        summary = [{"type": "summary_text", "text": "".join(said.thinking)}]
        frames.append({"type": "response.output_item.done", "output_index": at, "item": {**item, "summary": summary}})
        at += 1
    if said.text:
        item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        frames.append({"type": "response.output_item.added", "output_index": at, "item": item})
        place = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": at, "content_index": 0}
        frames += [{**place, "delta": piece} for piece in said.text]
        whole = [{"type": "output_text", "text": "".join(said.text), "annotations": []}]
        frames.append({"type": "response.output_item.done", "output_index": at, "item": {**item, "content": whole}})
        at += 1
    for number, (name, arguments) in enumerate(said.calls):
        item = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "name": name}
        empty = {**item, "arguments": ""}
        frames.append({"type": "response.output_item.added", "output_index": at + number, "item": empty})
        for half in _halves(arguments):
            kind = "response.function_call_arguments.delta"
            frames.append({"type": kind, "item_id": item["id"], "output_index": at + number, "delta": half})
        done = {**item, "arguments": arguments}
        frames.append({"type": "response.output_item.done", "output_index": at + number, "item": done})
    usage = {"input_tokens": 15, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7, "total_tokens": 22}
    frames.append({"type": "response.completed", "response": {**base, "status": "completed", "usage": usage}})
    return _sse(*frames, named=True)


def _anthropic(said: Said) -> bytes:
    usage = {"input_tokens": 11, "cache_read_input_tokens": 4, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [], "usage": usage}
    frames: list[Any] = [{"type": "message_start", "message": message}]
    at = 0

    def block(start: Any, deltas: Sequence[Any]) -> None:
        nonlocal at
        frames.append({"type": "content_block_start", "index": at, "content_block": start})
        frames.extend({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas)
        frames.append({"type": "content_block_stop", "index": at})
        at += 1

    if said.thinking:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in said.thinking]
        signature = {"type": "signature_delta", "signature": "c2ln"}
        block({"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signature])
    if said.text:
        block({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in said.text])
    for number, (name, arguments) in enumerate(said.calls):
        pieces = [{"type": "input_json_delta", "partial_json": half} for half in _halves(arguments)]
        block({"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}, pieces)
    reason = {"stop_reason": "tool_use" if said.calls else "end_turn"}
    frames += [{"type": "message_delta", "delta": reason, "usage": {"output_tokens": 7}}, {"type": "message_stop"}]
    return _sse(*frames, named=True)


def _gemini(said: Said) -> bytes:
    def part(value: Any, **more: Any) -> Any:
        content = {"role": "model", "parts": [value]}
        return {"candidates": [{"index": 0, "content": content, **more}], "responseId": "up-1", "modelVersion": "up"}

    frames = [part({"text": piece, "thought": True}) for piece in said.thinking]
    frames += [part({"text": piece}) for piece in said.text]
    frames += [part({"functionCall": {"name": name, "args": json.loads(text)}}) for name, text in said.calls]
    usage = {
        "promptTokenCount": 15,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 22,
    }
    return _sse(*frames, {**part({"text": ""}, finishReason="STOP"), "usageMetadata": usage})


def _bedrock(said: Said) -> bytes:
    frames = [event("messageStart", {"role": "assistant"})]
    at = 0

    def block(deltas: Sequence[Any], start: Any = None) -> None:
        nonlocal at
        if start is not None:
            frames.append(event("contentBlockStart", {"contentBlockIndex": at, "start": start}))
        frames.extend(event("contentBlockDelta", {"contentBlockIndex": at, "delta": delta}) for delta in deltas)
        frames.append(event("contentBlockStop", {"contentBlockIndex": at}))
        at += 1

    if said.thinking:
        thoughts = [{"reasoningContent": {"text": piece}} for piece in said.thinking]
        block([*thoughts, {"reasoningContent": {"signature": "c2ln"}}])
    if said.text:
        block([{"text": piece} for piece in said.text])
    for number, (name, arguments) in enumerate(said.calls):
        halves = [{"toolUse": {"input": half}} for half in _halves(arguments)]
        block(halves, {"toolUse": {"toolUseId": f"tooluse_{number}", "name": name}})
    frames.append(event("messageStop", {"stopReason": "tool_use" if said.calls else "end_turn"}))
    usage = {"inputTokens": 11, "cacheReadInputTokens": 4, "outputTokens": 7, "totalTokens": 22}
    frames.append(event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
    return b"".join(frames)


def _pi(said: Said) -> bytes:
    frames: list[Any] = [{"type": "start"}]
    at = 0
    for kind, pieces in (("thinking", said.thinking), ("text", said.text)):
        if pieces:
            frames.append({"type": f"{kind}_start", "contentIndex": at})
            frames += [{"type": f"{kind}_delta", "contentIndex": at, "delta": piece} for piece in pieces]
            frames.append({"type": f"{kind}_end", "contentIndex": at, "content": "".join(pieces)})
            at += 1
    for number, (name, arguments) in enumerate(said.calls):
        start = {"type": "toolcall_start", "contentIndex": at, "id": f"call_{number}", "toolName": name}
        deltas = [{"type": "toolcall_delta", "contentIndex": at, "delta": half} for half in _halves(arguments)]
        call = {"type": "toolCall", "id": f"call_{number}", "name": name, "arguments": json.loads(arguments)}
        frames += [start, *deltas, {"type": "toolcall_end", "contentIndex": at, "toolCall": call}]
        at += 1
    usage = {"input": 11, "output": 7, "cacheRead": 4, "cacheWrite": 0, "totalTokens": 22}
    return _sse(*frames, {"type": "done", "reason": "toolUse" if said.calls else "stop", "usage": usage})


@dataclass(frozen=True)
class Wire:
    """How an API answers, and what models.json says of it."""

    write: Callable[[Said], bytes]
    path: str = ""
    """Of the base URL, below the API's own folder."""
    key: str = "k3y-of-this-provider-0123456789"
    content_type: str = "text/event-stream"


_CLAIMS: Final = "eyJodHRwczovL2FwaS5vcGVuYWkuY29tL2F1dGgiOnsiY2hhdGdwdF9hY2NvdW50X2lkIjoiYWNjLTEifX0"

WIRES: Final[Mapping[str, Wire]] = {
    "openai-completions": Wire(_completions, "/v1"),
    "openai-responses": Wire(_responses, "/v1"),
    "azure-openai-responses": Wire(_responses, "/openai/v1"),
    "openai-codex-responses": Wire(_responses, "/backend-api", f"eyJhbGciOiJub25lIn0.{_CLAIMS}.c2ln"),
    "mistral-conversations": Wire(_mistral),
    "anthropic-messages": Wire(_anthropic),
    "google-generative-ai": Wire(_gemini, "/v1beta"),
    "google-vertex": Wire(_gemini),
    "bedrock-converse-stream": Wire(_bedrock, content_type="application/vnd.amazon.eventstream"),
    "pi-messages": Wire(_pi),
}
"""By api; the demo provider needs no bytes."""


def models_json(base: str = "http://provider.test") -> dict[str, Any]:
    """A models.json with one provider per API, ``p-<api>``, at ``base``/<api>; its model is ``m``."""
    model = {
        "id": "m",
        "reasoning": True,
        "input": ["text", "image"],
        "cost": {"input": 1, "output": 2, "cacheRead": 0.5, "cacheWrite": 0},
    }
    return {
        "providers": {
            f"p-{api}": {"baseUrl": f"{base}/{api}{wire.path}", "api": api, "apiKey": wire.key, "models": [model]}
            for api, wire in WIRES.items()
        }
    }


def api_of(target: str) -> str:
    """The API that a request is for, by its path."""
    return target.split("/")[1]
