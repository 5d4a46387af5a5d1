"""The answers of a scripted provider in the words of each API: pieces of an HTTP body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from conformance.steps import CACHED, INPUT, OUTPUT, REASONING, Answer, Call, Say, Think

Json = Any


def _data(value: Json, event: str = "") -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _thought(answer: Answer) -> bool:
    return any(isinstance(part, Think) for part in answer.parts)


def completions(answer: Answer) -> Iterator[bytes]:
    """OpenAI chat completions, with ``reasoning_content`` as DeepSeek and many others have it."""

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1795340000, "model": "wire"}
        return _data({**head, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    call = -1
    for part in answer.parts:
        match part:
            case Say(pieces):
                for text in pieces:
                    yield chunk({"content": text})
            case Think(pieces):
                for text in pieces:
                    yield chunk({"reasoning_content": text})
            case Call(call_id, name, pieces):
                call += 1
                function = {"name": name, "arguments": ""}
                yield chunk({"tool_calls": [{"index": call, "id": call_id, "type": "function", "function": function}]})
                for text in pieces:
                    yield chunk({"tool_calls": [{"index": call, "function": {"arguments": text}}]})
    if answer.finish == "cut":
        return
    yield chunk({}, answer.finish)
    details = {"completion_tokens_details": {"reasoning_tokens": REASONING}} if _thought(answer) else {}
    usage = {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        **details,
    }
    yield _data({"id": "chatcmpl-up", "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def messages(answer: Answer) -> Iterator[bytes]:
    """Anthropic messages."""
    reasons = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}
    counts = {"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0}
    head: Json = {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": "wire",
        "content": [],
        "stop_reason": None,
    }
    yield _data(
        {"type": "message_start", "message": {**head, "usage": {**counts, "output_tokens": 1}}}, "message_start"
    )
    for index, part in enumerate(answer.parts):
        match part:
            case Say():
                block, kind, key = {"type": "text", "text": ""}, "text_delta", "text"
            case Think():
                block, kind, key = {"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"
            case Call(call_id, name):
                block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}  # type: ignore[dict-item]
                kind, key = "input_json_delta", "partial_json"
        start = {"type": "content_block_start", "index": index, "content_block": block}
        yield _data(start, "content_block_start")
        for text in part.pieces:
            delta = {"type": kind, key: text}
            yield _data({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
        if isinstance(part, Think):
            delta = {"type": "signature_delta", "signature": "c2lnbmVk"}
            yield _data({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
        yield _data({"type": "content_block_stop", "index": index}, "content_block_stop")
    if answer.finish == "cut":
        return
    stop = {"stop_reason": reasons[answer.finish], "stop_sequence": None}
    yield _data({"type": "message_delta", "delta": stop, "usage": {**counts, "output_tokens": OUTPUT}}, "message_delta")
    yield _data({"type": "message_stop"}, "message_stop")


def google(answer: Answer) -> Iterator[bytes]:
    """Gemini's ``streamGenerateContent``; a function call comes whole."""
    thoughts = REASONING if _thought(answer) else 0
    usage = {
        "promptTokenCount": INPUT,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": INPUT + OUTPUT,
    }

    def chunk(parts: Json, finish: str | None = None) -> bytes:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        end = {"finishReason": finish} if finish else {}
        return _data({"candidates": [{**candidate, **end}], "usageMetadata": usage, "modelVersion": "wire"})

    for part in answer.parts:
        match part:
            case Say(pieces):
                for text in pieces:
                    yield chunk([{"text": text}])
            case Think(pieces):
                for text in pieces:
                    yield chunk([{"text": text, "thought": True}])
            case Call(_, name, pieces):
                yield chunk([{"functionCall": {"name": name, "args": json.loads("".join(pieces))}}])
    if answer.finish != "cut":
        yield chunk([{"text": ""}], "MAX_TOKENS" if answer.finish == "length" else "STOP")


def responses(answer: Answer) -> Iterator[bytes]:
    """OpenAI's Responses API, the events that matter."""
    number = -1

    def event(kind: str, **fields: Json) -> bytes:
        nonlocal number
        number += 1
        return _data({"type": kind, "sequence_number": number, **fields}, kind)

    head = {"id": "resp_up", "object": "response", "created_at": 1795340000, "model": "wire", "error": None}
    yield event("response.created", response={**head, "status": "in_progress", "output": []})
    output: list[Json] = []
    for index, part in enumerate(answer.parts):
        where = {"output_index": index}
        whole = "".join(part.pieces)
        match part:
            case Say(pieces):
                item: Json = {"id": f"msg_{index}", "type": "message", "role": "assistant"}
                place = {"item_id": item["id"], **where, "content_index": 0}
                text = {"type": "output_text", "text": "", "annotations": []}
                opening = {**item, "status": "in_progress", "content": []}
                yield event("response.output_item.added", **where, item=opening)
                yield event("response.content_part.added", **place, part=text)
                for piece in pieces:
                    yield event("response.output_text.delta", **place, delta=piece)
                yield event("response.output_text.done", **place, text=whole)
                yield event("response.content_part.done", **place, part={**text, "text": whole})
                item |= {"status": "completed", "content": [{**text, "text": whole}]}
            case Think(pieces):
                item = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
                place = {"item_id": item["id"], **where, "summary_index": 0}
                yield event("response.output_item.added", **where, item=item)
                yield event("response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})
                for piece in pieces:
                    yield event("response.reasoning_summary_text.delta", **place, delta=piece)
                summary = {"type": "summary_text", "text": whole}
                yield event("response.reasoning_summary_text.done", **place, text=whole)
                yield event("response.reasoning_summary_part.done", **place, part=summary)
                item = {**item, "summary": [summary], "encrypted_content": "c2VhbGVk"}
            case Call(call_id, name, pieces):
                item = {"id": f"fc_{index}", "type": "function_call", "call_id": call_id, "name": name}
                place = {"item_id": item["id"], **where}
                opening = {**item, "arguments": "", "status": "in_progress"}
                yield event("response.output_item.added", **where, item=opening)
                for piece in pieces:
                    yield event("response.function_call_arguments.delta", **place, delta=piece)
                yield event("response.function_call_arguments.done", **place, arguments=whole)
                item |= {"arguments": whole, "status": "completed"}
        yield event("response.output_item.done", **where, item=item)
        output.append(item)
    if answer.finish == "cut":
        return
    short = answer.finish == "length"
    usage = {
        "input_tokens": INPUT,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": REASONING if _thought(answer) else 0},
        "total_tokens": INPUT + OUTPUT,
    }
    status = "incomplete" if short else "completed"
    why = {"incomplete_details": {"reason": "max_output_tokens"} if short else None}
    yield event(f"response.{status}", response={**head, "status": status, **why, "output": output, "usage": usage})


def failure(api: str, answer: Answer) -> bytes:
    """The body of an error, in the API's own shape."""
    kinds = {400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(answer.status, "api_error")
    match api:
        case "anthropic-messages":
            body: Json = {"type": "error", "error": {"type": kind, "message": answer.message}}
        case "google-generative-ai":
            words = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
            status = words.get(answer.status, "INTERNAL")
            body = {"error": {"code": answer.status, "message": answer.message, "status": status}}
        case _:
            body = {"error": {"message": answer.message, "type": kind, "param": None, "code": None}}
    return json.dumps(body).encode()


BODIES: Final[Mapping[str, Callable[[Answer], Iterator[bytes]]]] = {
    "openai-completions": completions,
    "anthropic-messages": messages,
    "google-generative-ai": google,
    "openai-responses": responses,
}
"""By pi's id of the API."""
MODELS: Final[Mapping[str, str]] = {
    "wire-completions": "openai-completions",
    "wire-anthropic": "anthropic-messages",
    "wire-google": "google-generative-ai",
    "wire-responses": "openai-responses",
}
"""The models that clients ask for, one for each API."""

UPSTREAM_KEY: Final = "upstream-key"
"""What piproxy shows the scripted providers."""


def api_of(path: str) -> str:
    """Which API a request path belongs to."""
    if path.endswith("/messages"):
        return "anthropic-messages"
    if ":streamGenerateContent" in path or ":generateContent" in path:
        return "google-generative-ai"
    return "openai-responses" if path.endswith("/responses") else "openai-completions"


def agent_files(upstream: str) -> dict[str, Json]:
    """pi's agent directory: providers whose models live at ``upstream`` (``http://127.0.0.1:4142``)."""
    base = {"openai-completions": "/v1", "openai-responses": "/v1", "google-generative-ai": "/v1beta"}
    cost = {"input": 1, "output": 2, "cacheRead": 0.1, "cacheWrite": 1.25}
    size = {"contextWindow": 200000, "maxTokens": 32000}
    providers = {}
    for model, api in MODELS.items():
        entry = {"id": model, "name": model, "reasoning": True, "input": ["text", "image"], "cost": cost, **size}
        address = upstream + base.get(api, "")
        providers[model] = {"baseUrl": address, "api": api, "apiKey": UPSTREAM_KEY, "models": [entry]}
    return {"models.json": {"providers": providers}, "auth.json": {}, "settings.json": {}}
