"""Providers' errors in every shape that is known of them, each with somebody's words in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from fakes import eventstream

SAMPLES: Final = Path(__file__).parents[1] / "wire" / "samples"
_SAYING: Final = frozenset(
    "arguments blockReasonMessage content delta detail error finishMessage message msg partial_json raw refusal text "
    "thinking title error_description".split()
)
"""Keys whose texts are written by models or providers for people."""


def bodies(words: str) -> dict[str, bytes]:
    """Error bodies; every text in them quotes ``words`` (wire reference, 11.2)."""
    said = f"Invalid value: '{words}'. The prompt was {words}"
    filtered = {"hate": {"filtered": True, "severity": "high"}, "quote": said}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": filtered}
    fault = {"loc": ["body", "messages", 0, "content", said], "msg": said, "input": said, "type": "string_type"}
    shapes: dict[str, Any] = {
        "openai": {"error": {"message": said, "type": "invalid_request_error", "param": "messages[0]", "code": "x"}},
        "openai, a client's name in param": {"error": {"message": said, "param": f"metadata.{words}", "code": None}},
        "openai, a sentence in code": {"error": {"message": said, "type": said, "code": said, "param": said}},
        "azure": {"error": {"message": said, "code": "content_filter", "status": 400, "innererror": inner}},
        "anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": said}},
        "google": {"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT", "details": [{"x": said}]}},
        "google, in a list": [{"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}}],
        "xai": {"code": f"Client specified {said}", "error": said},
        "ollama": {"error": said},
        "aws": {"__type": "ValidationException", "message": said},
        "aws, capital": {"Message": said},
        "mistral": {"object": "error", "message": {"detail": [fault]}, "type": "invalid_request_error", "code": "1"},
        "fastapi": {"detail": [fault]},
        "codex": {"detail": said},
        "cloudflare": {"errors": [{"code": 7003, "message": said}], "success": False},
        "rfc 7807": {"title": said, "detail": said, "status": 400, "type": f"https://errors.test/{words}"},
        "nested": {"error": {"error": {"message": said, "type": "x"}}},
        "openrouter": {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": said}}},
        "openrouter, parsed": {"error": {"message": "Provider returned error", "metadata": {"raw": {"e": said}}}},
        "msg": {"msg": said, "status": said},
        "oauth": {"error_description": said},
        "unknown": {"trouble": {"words": said}},
        "a string": said,
    }
    made = {name: json.dumps(shape).encode() for name, shape in shapes.items()}
    page = f"<html><head><title>{said}</title></head><body><p>{said}</p></body></html>"
    return {**made, "a page": page.encode(), "plain text": said.encode(), "cut off": made["openai"][:-9]}


def answers(api: str, words: str) -> Iterator[bytes]:
    """The samples of an API, good and bad, where every text has ``words`` in it; and some that break off in them."""
    if api == "bedrock-converse-stream":
        yield from _bedrock(words)
        return
    for path in sorted((SAMPLES / api).glob("*")):
        text = path.read_bytes()
        data = _lines(text, words) if path.suffix == ".sse" else _document(text, words)
        yield data
        for part in (3, 2):
            yield data[: len(data) * (part - 1) // part]
        yield data + f"\n\ndata: {words} is no JSON\n\nevent: error\ndata: {words}\n\n".encode()
    yield f'data: {{"{words}": \n\n'.encode()
    yield f"<html><body>{words}</body></html>".encode()
    yield words.encode()


def _bedrock(words: str) -> Iterator[bytes]:
    said = eventstream.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": words}})
    start = eventstream.event("messageStart", {"role": "assistant"}) + said
    for name in ("throttlingException", "validationException", "modelStreamErrorException", "internalServerException"):
        trouble = eventstream.exception(name, {"message": f"Invalid: {words}", "originalMessage": words})
        yield start + trouble
        yield trouble
        yield (start + trouble)[:-5]
    yield start + eventstream.error("InternalFailure", f"Invalid: {words}")
    yield start + eventstream.error(words, words)
    yield start + eventstream.event("messageStop", {"stopReason": f"odd {words}"})
    yield start
    yield start[:-7]
    yield eventstream.raw(words.encode(), eventstream.text(":event-type", words))
    yield words.encode() * 9


def _lines(text: bytes, words: str) -> bytes:
    lines = text.decode().replace("\r\n", "\n").split("\n")
    return "\n".join(_line(line, words) for line in lines).encode() + b"\n\n"


def _line(line: str, words: str) -> str:
    name, colon, value = line.partition(":")
    if name != "data" or not value.strip().startswith("{"):
        return line
    return f"{name}{colon} {json.dumps(_quoting(json.loads(value), words))}"


def _document(text: bytes, words: str) -> bytes:
    return json.dumps(_quoting(json.loads(text), words)).encode()


def _quoting(value: Any, words: str, said: bool = False) -> Any:
    """The same with ``words`` in each text that is written for people."""
    each: Callable[[Any, bool], Any] = lambda item, told: _quoting(item, words, told)  # noqa: E731
    if isinstance(value, dict):
        return {name: each(item, name in _SAYING) for name, item in value.items()}
    if isinstance(value, list):
        return [each(item, said) for item in value]
    return f"{value} {words}" if said and isinstance(value, str) else value
