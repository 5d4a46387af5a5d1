"""Messages -> ``input`` items (wire reference, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Content,
    File,
    Image,
    Message,
    Part,
    Refusal,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.toolids import RESPONSES, IdMap
from piproxy.transcript import Messages, call_ids, has_remote_images, repaired
from piproxy.wire.openai_responses import replay
from piproxy.wire.openai_responses.dialect import flag
from piproxy.wire.room import Options


def input_items(messages: Messages, model: Model, options: Options) -> list[Json]:
    """Every message in its place; only calls and results are brought into the order that the API demands."""
    fixed = repaired(_plain_ids(messages), takes_images=model.takes_images)
    if model.provider == "github-copilot" and has_remote_images(fixed):
        raise NeedsInlineImages("GitHub Copilot takes images only as base64 data URIs.", param="messages")
    writer = _Writer(model, options, IdMap(RESPONSES, call_ids(fixed)))
    return [item for at, message in enumerate(fixed) for item in writer.message(at, message)]


def system_role(model: Model) -> str:
    """``developer`` where the model knows it."""
    return "developer" if model.reasoning and flag(model, "supportsDeveloperRole", default=True) else "system"


class _Writer:
    def __init__(self, model: Model, options: Options, ids: IdMap) -> None:
        self._model = model
        self._options = options
        self._ids = ids
        self._role = system_role(model)
        self._custom: set[str] = set()

    def message(self, at: int, message: Message) -> Iterable[Json]:
        match message:
            case SystemMessage():
                yield {"role": self._role, "content": _system(message.content)}
            case UserMessage():
                if content := _input_parts(message.content):
                    yield {"role": "user", "content": content}
            case AssistantMessage():
                yield from self._assistant(at, message)
            case ToolMessage():
                yield self._result(message)

    def _assistant(self, at: int, message: AssistantMessage) -> Iterable[Json]:
        details = replay.from_details(message.reasoning_details, self._model.canonical_id)
        remembered = [
            replay.recalled(self._options.replay.get(call.id), self._model.canonical_id) for call in message.tool_calls
        ]
        if not any(remembered):
            yield from details
        content = _output_parts(message)
        if content:
            yield {
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "id": f"msg_pi_{at}",
                "content": content,
            }
        for call, reasoning in zip(message.tool_calls, remembered, strict=True):
            yield from reasoning
            wire = self._ids.to_wire(call.id)
            if call.custom:
                self._custom.add(call.id)
                yield {"type": "custom_tool_call", "call_id": wire, "name": call.name, "input": call.arguments}
            else:
                yield {"type": "function_call", "call_id": wire, "name": call.name, "arguments": call.arguments}

    def _result(self, message: ToolMessage) -> Json:
        kind = "custom_tool_call_output" if message.tool_call_id in self._custom else "function_call_output"
        return {"type": kind, "call_id": self._ids.to_wire(message.tool_call_id), "output": _output(message.content)}


def _plain_ids(messages: Messages) -> Messages:
    """Ids of the form ``call_id|item_id``, as pi makes them, without the item; results follow.

    Two that share their first half keep both halves, so that they stay apart.
    """
    halves: dict[str, set[str]] = {}
    for id_ in call_ids(messages):
        halves.setdefault(id_.split("|")[0], set()).add(id_)

    def plain(id_: str) -> str:
        half = id_.split("|", maxsplit=1)[0]
        return half if half and len(halves[half]) == 1 else id_

    fixed: list[Message] = []
    for message in messages:
        if isinstance(message, AssistantMessage) and message.tool_calls:
            calls = tuple(replace(call, id=plain(call.id)) for call in message.tool_calls)
            fixed.append(replace(message, tool_calls=calls))
        elif isinstance(message, ToolMessage):
            fixed.append(replace(message, tool_call_id=plain(message.tool_call_id)))
        else:
            fixed.append(message)
    return tuple(fixed)


def _system(content: Content) -> Json:
    return content if isinstance(content, str) else _input_parts(content)


def _input_parts(content: Content) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return [_input_part(part) for part in content]


def _input_part(part: Part) -> Json:
    match part:
        case Text() | Refusal():
            item: dict[str, Json] = {"type": "input_text", "text": part.text}
        case Image():
            item = {"type": "input_image", "detail": part.detail or "auto", "image_url": part.url_value}
        case File():
            named = {"file_id": part.file_id, "filename": part.filename, "file_data": part.data}
            item = {"type": "input_file"} | {name: value for name, value in named.items() if value is not None}
        case Audio():
            raise UnsupportedParameter("This model's API takes no audio.", param="messages", part=part)
    mark = None if isinstance(part, Refusal) else part.cache_control
    if isinstance(mark, dict) and "mode" in mark:  # OpenAI's own kind of mark, not Anthropic's
        item["prompt_cache_breakpoint"] = mark
    return item


def _output_parts(message: AssistantMessage) -> list[Json]:
    content = message.content if message.content is not None else ()
    parts: tuple[Part, ...] = (Text(content),) if isinstance(content, str) else content
    items: list[Json] = []
    for part in parts:
        if isinstance(part, Text) and part.text:
            items.append({"type": "output_text", "text": part.text, "annotations": []})
        elif isinstance(part, Refusal):
            items.append({"type": "refusal", "refusal": part.text})
    if message.refusal:
        items.append({"type": "refusal", "refusal": message.refusal})
    return items


def _output(content: Content) -> Json:
    """A result: a string as it is; parts as parts, unless they are one text, which every host takes as a string."""
    if isinstance(content, str):
        return content
    if len(content) == 1 and isinstance(content[0], Text):
        return content[0].text
    return _input_parts(content) or ""
