"""The conversation as ``contents`` and ``systemInstruction`` (wire reference, 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy import functiontools, transcript
from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    File,
    Image,
    Message,
    Part,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import NeedsInlineImages, UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.toolids import ANTHROPIC, IdMap
from piproxy.wire.google_generative_ai import signatures
from piproxy.wire.google_generative_ai.generation import is_gemini_3

_IDS: Final = ANTHROPIC
"""The strictest rule of the models behind this API: ``[a-zA-Z0-9_-]{1,64}``."""


def conversation(chat: Chat, model: Model, replay: Mapping[str, Json]) -> tuple[str, list[Json]]:
    """The system texts, joined by blank lines, and the contents.

    Raises :class:`UnsupportedParameter` for a part that cannot be sent inline.
    """
    system, rest = transcript.all_system(chat.messages)
    prompt = "\n\n".join(transcript.joined(message.content) for message in system)
    turns = transcript.merged_turns(transcript.repaired(rest, takes_images=model.takes_images))
    writer = _Writer(model, turns, replay)
    for at, message in enumerate(turns):
        writer.add(at, message)
    writer.finish()
    if not writer.contents and prompt:  # nothing but system texts: Gemini wants something to answer
        return "", [{"role": "user", "parts": [{"text": prompt}]}]
    return prompt, writer.contents


_TYPES: Final = {
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "mp3": "audio/mp3",
    "mp4": "video/mp4",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "wav": "audio/wav",
    "xml": "text/xml",
}
"""For a file that says nothing but its name; a nameless one is a PDF, as it was at first in OpenAI's API."""


class _Writer:
    def __init__(self, model: Model, turns: transcript.Messages, replay: Mapping[str, Json]) -> None:
        self.contents: list[Json] = []
        self._gemini_3 = is_gemini_3(model)
        self._names = transcript.call_names(turns)
        self._ids = IdMap(_IDS, transcript.call_ids(turns))
        self._replay = replay
        self._last_user = max((at for at, turn in enumerate(turns) if isinstance(turn, UserMessage)), default=-1)
        self._images: list[Json] = []

    def add(self, at: int, message: Message) -> None:
        if not isinstance(message, ToolMessage):
            self.finish()
        if isinstance(message, ToolMessage):
            self._result(message)
        elif isinstance(message, AssistantMessage):
            parts = self._model_parts(message, running=at > self._last_user)
            if parts:
                self.contents.append({"role": "model", "parts": parts})
        else:
            parts = [_part(part) for part in transcript.parts(message.content)]
            self.contents.append({"role": "user", "parts": parts or [{"text": ""}]})

    def _model_parts(self, message: AssistantMessage, *, running: bool) -> list[Json]:
        """``running``: the turn belongs to the tool loop that is going on, whose signatures Gemini 3 checks."""
        spoken = [*transcript.texts(message.content), message.refusal or ""]
        parts: list[Json] = [{"text": text} for text in spoken if text]
        if self._gemini_3 and parts and (signature := signatures.of_details(message.reasoning_details)):
            parts[-1]["thoughtSignature"] = signature
        for number, call in enumerate(message.tool_calls):
            function: dict[str, Json] = {"name": call.name, "args": functiontools.arguments(call)}
            part: dict[str, Json] = {"functionCall": function}
            if self._gemini_3:
                function["id"] = self._ids.to_wire(call.id)
            found = signatures.of_call(call.extra_content) or signatures.of_call(self._replay.get(call.id))
            if found is None and self._gemini_3 and running and number == 0:  # parallel calls share the first one's
                found = signatures.BYPASS
            if found is not None:
                part["thoughtSignature"] = found
            parts.append(part)
        return parts

    def _result(self, message: ToolMessage) -> None:
        images = [_part(part) for part in transcript.parts(message.content) if isinstance(part, Image | File | Audio)]
        text = transcript.joined(message.content)
        key = "error" if text == transcript.NO_RESULT else "output"
        response: dict[str, Json] = {
            "name": self._names.get(message.tool_call_id) or message.name or "",
            "response": {key: text},
        }
        if self._gemini_3:
            response["id"] = self._ids.to_wire(message.tool_call_id)
            if images:
                response["parts"] = images
        else:
            self._images += images
        part = {"functionResponse": response}
        last = self.contents[-1] if self.contents else {}
        if last.get("role") == "user" and "functionResponse" in last["parts"][0]:
            last["parts"].append(part)
        else:
            self.contents.append({"role": "user", "parts": [part]})

    def finish(self) -> None:
        """Before Gemini 3, a tool's images follow all results of the turn in a content of their own."""
        if self._images:
            self.contents.append({"role": "user", "parts": [{"text": "Tool result image:"}, *self._images]})
            self._images = []


def _part(part: Part) -> dict[str, Json]:
    match part:
        case Image() if part.remote:
            raise NeedsInlineImages("This API takes images only as base64 data URIs.", param="messages")
        case Image():
            return _inline(part.media_type, part.data_value)
        case Audio():
            return _inline(f"audio/{part.format}", part.data)
        case File():
            return _document(part)
        case _:
            return {"text": part.text}


def _document(file: File) -> dict[str, Json]:
    if file.data is None:
        raise UnsupportedParameter(
            "This API has no stored files.",
            advice="Send the file's data instead of its id.",
            param="messages",
            part=file,
        )
    if file.data.startswith("data:"):
        head, _, data = file.data[5:].partition(",")
        return _inline(head.split(";", 1)[0], data)
    extension = (file.filename or "pdf").rpartition(".")[2].lower()
    return _inline(_TYPES.get(extension, "text/plain"), file.data)


def _inline(mime_type: str, data: Json) -> dict[str, Json]:
    return {"inlineData": {"mimeType": mime_type, "data": data}}
