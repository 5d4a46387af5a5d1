"""Messages as Mistral takes them (wire reference, 7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from piproxy.chat import (
    AssistantMessage,
    Audio,
    Content,
    File,
    Image,
    Message,
    Part,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.jsontext import Json, dump
from piproxy.model import Model
from piproxy.toolids import MISTRAL, IdMap
from piproxy.transcript import Messages, call_ids, call_names, parts, repaired, with_a_question

NO_OUTPUT: Final = "(no tool output)"
"""An empty tool result (pi's words)."""


def wire_messages(messages: Messages, model: Model) -> list[Json]:
    """Every message in its place; ids of calls become nine letters and digits."""
    fixed = with_a_question(repaired(messages, takes_images=model.takes_images))
    writer = _Writer(model, IdMap(MISTRAL, call_ids(fixed)), call_names(fixed))
    made = [item for message in fixed for item in writer.message(message)]
    if fixed and isinstance(fixed[-1], AssistantMessage) and made and "tool_calls" not in made[-1]:
        made[-1]["prefix"] = True  # a last assistant turn is refused, unless it is to be continued
    return made


class _Writer:
    def __init__(self, model: Model, ids: IdMap, names: Mapping[str, str]) -> None:
        self._model = model
        self._ids = ids
        self._names = names

    def message(self, message: Message) -> Iterable[dict[str, Json]]:
        match message:
            case SystemMessage():
                yield {"role": "system", "content": _content(message.content)}
            case UserMessage():
                if message.content != ():
                    yield {"role": "user", "content": _content(message.content)}
            case AssistantMessage():
                yield from self._assistant(message)
            case ToolMessage():
                name = message.name or self._names.get(message.tool_call_id)
                made: dict[str, Json] = {"role": "tool", "tool_call_id": self._ids.to_wire(message.tool_call_id)}
                if name:
                    made["name"] = name
                yield made | {"content": _content(message.content) or NO_OUTPUT}

    def _assistant(self, message: AssistantMessage) -> Iterable[dict[str, Json]]:
        made: dict[str, Json] = {"role": "assistant"}
        content = self._spoken(message)
        if content:
            made["content"] = content
        if message.tool_calls:
            made["tool_calls"] = [self._call(call) for call in message.tool_calls]
        if len(made) > 1:
            yield made

    def _spoken(self, message: AssistantMessage) -> Json:
        """A string stays one; thinking, which only a reasoning model may be given back, is one block before it."""
        content, refusal = message.content, message.refusal
        if isinstance(content, str) and not refusal and not (message.reasoning and self._model.reasoning):
            return content
        spoken = [chunk for part in parts(content) if (chunk := _chunk(part)).get("text") or chunk["type"] != "text"]
        if refusal:
            spoken.append({"type": "text", "text": refusal})
        if message.reasoning and self._model.reasoning:
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": message.reasoning}]}
            return [thought, *spoken]
        return spoken

    def _call(self, call: ToolCall) -> Json:
        arguments = dump({"input": call.arguments}).decode() if call.custom else call.arguments
        return {
            "id": self._ids.to_wire(call.id),
            "type": "function",
            "function": {"name": call.name, "arguments": arguments},
        }


def _content(content: Content) -> Json:
    return content if isinstance(content, str) else [_chunk(part) for part in content]


def _chunk(part: Part) -> dict[str, Json]:
    """One content chunk. Mistral's ``image_url`` may be a plain string; there is no place for ``detail``."""
    match part:
        case Image():
            return {"type": "image_url", "image_url": part.url_value}
        case File():
            return _document(part)
        case Audio():
            return {"type": "input_audio", "input_audio": part.data}
        case _:
            return {"type": "text", "text": part.text}


def _document(file: File) -> dict[str, Json]:
    if file.data is None:
        return {"type": "file", "file_id": file.file_id}
    url = file.data if file.data.startswith("data:") else f"data:application/pdf;base64,{file.data}"
    chunk: dict[str, Json] = {"type": "document_url", "document_url": url}
    return chunk if file.filename is None else chunk | {"document_name": file.filename}
