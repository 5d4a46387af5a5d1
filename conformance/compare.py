"""Which differences between two answers matter.

Ids, dates, header order and where chunks are cut do not: an answer becomes rows of text, one for each thing said, that
two servers have in common when they mean the same; a streamed answer's deltas are joined.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from conformance.case import Exchange
from conformance.messages import Message

Json = Any

_HEADERS: Final = (
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-piproxy-dropped-params",
    "allow",
    "location",
    "cache-control",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
    "vary",
    "www-authenticate",
)
_CHANGING: Final = {"id", "created", "date"}
_MADE_UP: Final = re.compile(r"call_req_[0-9a-f]{24}")
_SECRET: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
_DULL: Final = ("host", "user-agent", "content-length", "connection", "accept-encoding", "date", "transfer-encoding")


def rows(exchange: Exchange) -> list[str]:
    """What one answer says; ``left``: how far it came is not told."""
    answer = exchange.response
    if answer is None:
        return ["no answer"]
    kind = (answer.get("content-type") or "").partition(";")[0]
    found = [f"first {value}" for name, value in answer.headers if name == ":early"]
    found += [f"status {answer.status}", f"type {kind}"]
    found += [f"{name}: {answer.get(name)}" for name in _HEADERS if answer.get(name) is not None]
    if exchange.left:
        return [*found, "the client left"]
    if not answer.complete:
        found.append("the connection broke off")
    if kind == "text/event-stream":
        return [*found, *_stream(answer.body)]
    return [*found, *_document(answer.body)]


def upstream_rows(request: Message) -> list[str]:
    """What one request to the provider says. Keys are there or not; their values are nobody's business."""
    found = [f"{request.get(':method')} {request.get(':path')}"]
    for name, value in sorted(request.headers):
        if not name.startswith(":") and name not in _DULL:
            found.append(f"{name}: {'a key' if name in _SECRET else value}")
    try:
        body = json.loads(request.body)
    except ValueError:
        return [*found, repr(request.body)]
    return [*found, *_flat("body", body)]


def difference(expected: Sequence[str], found: Sequence[str], what: str) -> str:
    """Readable; empty if there is none."""
    lines = difflib.unified_diff(expected, found, f"{what}, recorded", f"{what}, now", lineterm="", n=1)
    return "\n".join(lines)


def said(exchange: Exchange) -> str:
    """All text of an answer, however it is cut."""
    found = [row.partition("content: ")[2] for row in rows(exchange) if row.startswith("content: ")]
    return "".join(json.loads(text) for text in found)


def _document(body: bytes) -> Iterator[str]:
    try:
        value = json.loads(body)
    except ValueError:
        yield f"body {body!r}"
        return
    if isinstance(value, dict) and value.get("object") == "chat.completion":
        yield from _completion(value)
    else:
        yield from _flat("", value)


def _completion(value: Json) -> Iterator[str]:
    yield f"object {value['object']}, model {value.get('model')}"
    for choice in value.get("choices") or ():
        message = dict(choice.get("message") or {})
        yield f"role: {message.pop('role', None)}"
        for name in ("reasoning_content", "content", "refusal"):
            if (text := message.pop(name, None)) is not None:
                yield f"{name}: {json.dumps(text, ensure_ascii=False)}"
        for index, call in enumerate(message.pop("tool_calls", None) or ()):
            yield from _call(index, call)
        yield from _flat("message", message)
        yield f"finish: {choice.get('finish_reason')}"
    yield from _usage(value.get("usage"))


def _call(index: int, call: Json) -> Iterator[str]:
    function = call.get("function") or call.get("custom") or {}
    arguments = function.get("arguments", function.get("input"))
    yield f"call {index}: {call.get('type')} {function.get('name')} {_call_id(call.get('id'))}"
    yield f"arguments {index}: {json.dumps(arguments, ensure_ascii=False)}"


def _call_id(value: Json) -> str:
    """As the provider gave it; one that had to be made up bears the request's id, which changes."""
    return _MADE_UP.sub("made up", str(value))


def _usage(usage: Json) -> Iterator[str]:
    if usage is not None:
        yield from _flat("usage", usage)


def _stream(body: bytes) -> list[str]:
    """The rows of a stream; deltas of one kind in a row are one."""
    found: list[tuple[str, str]] = []
    calls: dict[int, dict[str, str]] = {}
    shapes: dict[str, None] = {}
    ids: set[str] = set()

    def add(name: str, text: str) -> None:
        if found and found[-1][0] == name and name in ("content", "reasoning_content", "refusal"):
            text = found.pop()[1] + text
        found.append((name, text))

    for line in body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            add("done", "")
            continue
        try:
            frame = json.loads(data)
        except ValueError:
            add("garbage", data)
            continue
        shapes[_shape(frame)] = None
        ids.add(f"{frame.get('id')} {frame.get('created')}")
        if "error" in frame:
            add("error", json.dumps(frame["error"], ensure_ascii=False, sort_keys=True))
        for choice in frame.get("choices") or ():
            for name, value in (choice.get("delta") or {}).items():
                if name == "tool_calls":
                    _add_calls(calls, value, add)
                elif value is not None and value != "":
                    add(name, str(value))
            if choice.get("finish_reason") is not None:
                add("finish", choice["finish_reason"])
        for row in _usage(frame.get("usage")):
            add("usage", row)
    result = [f"frames: {shape}" for shape in shapes]
    if len(ids) > 1 + ("error" in dict(found)):
        result.append(f"ids: {len(ids)} of one answer")
    for name, text in found:
        if name == "call":
            call = calls[int(text)]
            result.append(f"call {text}: {call['type']} {call['name']} {_call_id(call['id'])}")
            result.append(f"arguments {text}: {json.dumps(call['arguments'], ensure_ascii=False)}")
        elif name in ("content", "reasoning_content", "refusal"):
            result.append(f"{name}: {json.dumps(text, ensure_ascii=False)}")
        else:
            result.append(text if name == "usage" else f"{name}: {text}")
    return result


def _shape(frame: Json) -> str:
    """What a frame has, whatever it says."""
    choices = {", ".join(sorted(choice)) for choice in frame.get("choices") or ()}
    return f"{frame.get('object')}, model {frame.get('model')}: {', '.join(sorted(frame))}; choices: {sorted(choices)}"


def _add_calls(calls: dict[int, dict[str, str]], value: Json, add: Any) -> None:
    for call in value or ():
        index = call.get("index", 0)
        if index not in calls:
            calls[index] = {"type": "", "name": "", "id": "", "arguments": ""}
            add("call", str(index))
        function = call.get("function") or call.get("custom") or {}
        for name, text in (("type", call.get("type")), ("id", call.get("id")), ("name", function.get("name"))):
            calls[index][name] = calls[index][name] or text or ""
        calls[index]["arguments"] += function.get("arguments") or function.get("input") or ""


def _flat(path: str, value: Json) -> Iterator[str]:
    """One row for each leaf, in order of names; what changes from day to day is left out."""
    if isinstance(value, dict) and value:
        for name in sorted(value):
            if not (name in _CHANGING and not path.startswith("body")):
                yield from _flat(f"{path}.{name}" if path else name, value[name])
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from _flat(f"{path}[{index}]", one)
    else:
        yield f"{path} = {json.dumps(value, ensure_ascii=False)}"
