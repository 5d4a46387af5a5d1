"""The conversation in the upstream's words (wire reference, 2.5, 3.3 and 3.5).

The client's own content goes through: names, image detail, raw tool arguments, reasoning, strings and arrays. Only what
the upstream's flags demand is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from piproxy import transcript
from piproxy.chat import (
    AssistantMessage,
    Audio,
    Chat,
    Content,
    File,
    Image,
    Message,
    Part,
    Refusal,
    SystemMessage,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from piproxy.errors import NeedsInlineImages
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions import cachemarks
from piproxy.wire.openai_completions.compat import Compat
from piproxy.wire.openai_completions.pastreasoning import past_reasoning, remembered
from piproxy.wire.openai_completions.systems import folded
from piproxy.wire.openai_completions.toolids import wire_ids
from piproxy.wire.room import Options

BRIDGE: Final = "I have processed the tool results."
SEE_IMAGE: Final = "(see attached image)"
ATTACHED: Final = "Attached image(s) from tool result:"


@dataclass(slots=True)
class Writer:
    """Writes one conversation. ``dropped`` collects what the upstream cannot take."""

    model: Model
    compat: Compat
    options: Options
    refused: frozenset[str]
    dropped: list[str] = field(default_factory=list)
    _ids: Mapping[str, str] = field(default_factory=dict)
    _names: Mapping[str, str] = field(default_factory=dict)

    def messages(self, chat: Chat) -> list[dict[str, Json]]:
        """All messages of the request, repaired so that the upstream takes them."""
        said = transcript.with_results(transcript.without_orphans(chat.messages))
        if not self._keeps_places:
            said = folded(said)
        if not self.model.takes_images:
            said = transcript.without_images(said)
        self._ids = wire_ids(transcript.call_ids(said), short=self.compat.has("openai"))
        self._names = transcript.call_names(said)
        return self._bridged(list(self._all(said)))

    @property
    def _keeps_places(self) -> bool:
        """System messages may stand anywhere."""
        if "supportsMidConvoSystemMessages" in self.compat.explicit:
            return self.compat.supportsMidConvoSystemMessages
        return self.compat.host == "openai"

    def _all(self, messages: transcript.Messages) -> Iterator[dict[str, Json]]:
        images: list[Image] = []
        for message in messages:
            if images and not isinstance(message, ToolMessage):
                yield self._attached(images)
                images = []
            match message:
                case SystemMessage():
                    yield self._system(message)
                case UserMessage():
                    yield self._plain("user", message, message.content)
                case AssistantMessage():
                    written = self._assistant(message)
                    if written is not None:
                        yield written
                case ToolMessage():
                    images += [part for part in transcript.parts(message.content) if isinstance(part, Image)]
                    yield self._tool(message)
        if images:
            yield self._attached(images)

    def _bridged(self, messages: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Some upstreams want an assistant turn between a tool result and the user."""
        if not self.compat.requiresAssistantAfterToolResult:
            return messages
        bridged: list[dict[str, Json]] = []
        for message in messages:
            if message["role"] == "user" and bridged and bridged[-1]["role"] == "tool":
                bridged.append({"role": "assistant", "content": BRIDGE})
            bridged.append(message)
        return bridged

    def _system(self, message: SystemMessage) -> dict[str, Json]:
        role = "developer" if self.model.reasoning and self.compat.supportsDeveloperRole else "system"
        return self._plain(role, message, message.content)

    def _plain(self, role: str, message: Message, content: Content | None) -> dict[str, Json]:
        written: dict[str, Json] = {"role": role, "content": None if content is None else self._content(content)}
        if message.name is not None and self._may("messages.name"):
            written["name"] = message.name
        return self._marked(written, message.cache_control)

    def _marked(self, written: dict[str, Json], mark: Json | None) -> dict[str, Json]:
        """A mark of the whole message: Anthropic's form has it on the last text."""
        found = self._mark(mark)
        if "cache_control" in found and self.compat.host != "custom":
            cachemarks.mark_text(written, mark)
            return written
        return written | found

    def _assistant(self, message: AssistantMessage) -> dict[str, Json] | None:
        """``None`` for a turn that says nothing: no upstream takes it."""
        content, refusal = message.content, message.refusal
        if refusal is not None and self.compat.host not in ("openai", "custom"):
            content, refusal = content or refusal, None
        if not content and not message.tool_calls and not refusal:
            return None
        written = self._plain("assistant", message, content or None)
        if refusal is not None:
            written["refusal"] = refusal
        thought = past_reasoning(message, self._memory(message), self.model, self.compat)
        text = thought.pop("text", None)
        if text is not None:
            written["content"] = [{"type": "text", "text": text}, *self._parts(transcript.parts(message.content))]
        written |= thought
        if written["content"] is None and (
            self.compat.requiresAssistantAfterToolResult or self.compat.requiresNonNullAssistantContent
        ):
            written["content"] = ""
        if message.tool_calls:
            written["tool_calls"] = [self._call(call) for call in message.tool_calls]
        return written

    def _memory(self, message: AssistantMessage) -> Mapping[str, Json]:
        """What this process remembers of the turn: it is kept with the first call."""
        return remembered(self.options.replay, message.tool_calls[0].id, self.model) if message.tool_calls else {}

    def _call(self, call: ToolCall) -> dict[str, Json]:
        wire = self._ids.get(call.id, call.id)
        if call.custom:
            return {"id": wire, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        written: dict[str, Json] = {
            "id": wire,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        extra = call.extra_content or remembered(self.options.replay, call.id, self.model).get("extra_content")
        if extra is not None and self.compat.host == "custom":
            written["extra_content"] = extra
        return written

    def _tool(self, message: ToolMessage) -> dict[str, Json]:
        content = message.content
        if isinstance(content, tuple) and any(isinstance(part, Image) for part in content):
            content = tuple(part for part in content if not isinstance(part, Image)) or SEE_IMAGE
        written: dict[str, Json] = {
            "role": "tool",
            "tool_call_id": self._ids.get(message.tool_call_id, message.tool_call_id),
            "content": self._content(content),
        }
        name = message.name or self._names.get(message.tool_call_id)
        if name and self.compat.requiresToolResultName:
            written["name"] = name
        return self._marked(written, message.cache_control)

    def _attached(self, images: Iterable[Image]) -> dict[str, Json]:
        """Images of tool results, which only a user may show."""
        return {"role": "user", "content": [{"type": "text", "text": ATTACHED}, *self._parts(images)]}

    def _content(self, content: Content) -> Json:
        return content if isinstance(content, str) else self._parts(content)

    def _parts(self, parts: Iterable[Part]) -> list[dict[str, Json]]:
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> dict[str, Json]:
        match part:
            case Text(text, mark):
                return {"type": "text", "text": text} | self._mark(mark)
            case Refusal(text):
                if self.compat.host in ("openai", "custom"):
                    return {"type": "refusal", "refusal": text}
                return {"type": "text", "text": text}
            case Image(_, detail, mark):
                if part.remote and not self.compat.takes_addresses:
                    raise NeedsInlineImages(
                        "This model's provider takes images only as base64 data URIs.", param="messages"
                    )
                url = part.url_value
                shown = {"url": url} if detail is None else {"url": url, "detail": detail}
                return {"type": "image_url", "image_url": shown} | self._mark(mark)
            case Audio(data, format_, mark):
                return {"type": "input_audio", "input_audio": {"data": data, "format": format_}} | self._mark(mark)
            case File():
                named = (("file_data", part.data), ("file_id", part.file_id), ("filename", part.filename))
                file = {name: value for name, value in named if value is not None}
                return {"type": "file", "file": file} | self._mark(part.cache_control)

    def _mark(self, mark: Json | None) -> dict[str, Json]:
        if mark is None:
            return {}
        kind = cachemarks.mark_kind(mark)
        if cachemarks.accepts(self.compat, kind):
            return {kind: mark}
        self._drop(kind)
        return {}

    def _may(self, name: str) -> bool:
        if name in self.refused:
            self._drop(name)
            return False
        return True

    def _drop(self, name: str) -> None:
        if name not in self.dropped:
            self.dropped.append(name)
