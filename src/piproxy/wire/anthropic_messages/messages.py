"""The conversation as Anthropic takes it (wire-native-apis.md, 1.4, 1.5 and 2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from piproxy import jsontext, transcript
from piproxy.chat import AssistantMessage, Message, SystemMessage, Text, ToolCall, ToolMessage, UserMessage
from piproxy.errors import InvalidRequest
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.toolids import IdMap
from piproxy.wire.anthropic_messages import replay
from piproxy.wire.anthropic_messages.compat import Compat
from piproxy.wire.anthropic_messages.identity import ToolNames
from piproxy.wire.anthropic_messages.parts import Block, blocks, text_block

Turn = dict[str, Json]
"""``{"role", "content": [blocks]}``."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Ready to send; contents are lists of blocks everywhere."""

    system: list[Block]
    turns: list[Turn]

    @property
    def prefilled(self) -> bool:
        """The last turn is the assistant's: the answer is to go on from there."""
        return bool(self.turns) and self.turns[-1]["role"] == "assistant"

    @property
    def loop_lost_its_thinking(self) -> bool:
        """A tool loop is running and its assistant turns do not begin with thinking.

        With a thinking budget Anthropic refuses such a history; the thinking may be another model's, or forgotten.
        """
        loop: list[Turn] = []
        for turn in reversed([turn for turn in self.turns if turn["role"] != "system"]):
            if turn["role"] == "user" and not any(block["type"] == "tool_result" for block in turn["content"]):
                break
            loop.append(turn)
        if not loop or loop[0]["role"] != "user":
            return False
        spoken = [turn["content"][0]["type"] for turn in loop if turn["role"] == "assistant"]
        return bool(spoken) and not any(kind in ("thinking", "redacted_thinking") for kind in spoken)


@dataclass(slots=True)
class _Writer:
    """Turns messages into turns; neighbours of one role become one turn."""

    model: Model
    compat: Compat
    ids: IdMap
    names: ToolNames
    remembered: Mapping[str, Json]
    system: list[Block] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    waiting: list[Block] = field(default_factory=list)
    """Later system texts, until the place where the API takes them: behind a user turn, before the assistant's."""

    def write(self, message: Message) -> None:
        match message:
            case SystemMessage():
                told = self._blocks(message)
                (self.waiting if self.compat.later_system and self.turns else self.system).extend(told)
            case UserMessage():
                self._add("user", self._blocks(message))
            case ToolMessage():
                self._add("user", [self._result(message)])
            case AssistantMessage():
                spoken = self._assistant(message)
                if spoken:
                    self.place_waiting()
                    self._add("assistant", spoken)

    def place_waiting(self) -> None:
        """Later system texts stand here, if a user turn precedes; otherwise they wait on."""
        if self.waiting and self.turns and self.turns[-1]["role"] == "user":
            self.turns.append({"role": "system", "content": self.waiting})
            self.waiting = []

    def _add(self, role: str, content: list[Block]) -> None:
        if not content:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(content)
        else:
            self.turns.append({"role": role, "content": content})

    def _blocks(self, message: SystemMessage | UserMessage | AssistantMessage) -> list[Block]:
        told = blocks(message.content, remote_images=self.compat.remote_images)
        if told and message.cache_control is not None:
            told[-1]["cache_control"] = message.cache_control
        return told

    def _result(self, message: ToolMessage) -> Block:
        result: Block = {
            "type": "tool_result",
            "tool_use_id": self.ids.to_wire(message.tool_call_id),
            "content": self._result_content(message),
        }
        if message.content == transcript.NO_RESULT:
            result["is_error"] = True
        if message.cache_control is not None:
            result["cache_control"] = message.cache_control
        return result

    def _result_content(self, message: ToolMessage) -> Json:
        match message.content:
            case str(text):
                return text
            case (Text(text, None),):
                return text
            case content:
                return blocks(content, remote_images=self.compat.remote_images)

    def _assistant(self, message: AssistantMessage) -> list[Block]:
        calls = {call.id: self._call(call) for call in message.tool_calls}
        known = replay.recalled(message, self.remembered, self.model.canonical_id)
        if known is not None:
            return self._as_it_was(known, calls, message.cache_control)
        thinking = replay.thinking_of(message, self.remembered, self.model.canonical_id)
        said = self._blocks(message)
        if message.refusal and message.refusal.strip():
            said.append(text_block(message.refusal))
        if not said and not calls:
            return []
        return [*filter(None, map(self._thought, thinking)), *said, *calls.values()]

    def _as_it_was(self, known: list[Block], calls: Mapping[str, Block], cache_control: Json) -> list[Block]:
        spoken: list[Block] = []
        for block in known:
            if block["type"] == "tool_use":
                spoken.append(calls[block["id"]])
            elif block["type"] == "text":
                spoken.extend(blocks(block["text"], remote_images=False))
            else:
                spoken.extend(filter(None, (self._thought(block),)))
        if cache_control is not None:
            spoken[-1]["cache_control"] = cache_control
        return spoken

    def _thought(self, block: Block) -> Block | None:
        """A thinking block that may go back: signed, or unsigned where the endpoint gives none."""
        if block["type"] == "redacted_thinking" or block["signature"].strip():
            return dict(block)
        return dict(block) if self.compat.empty_signatures and block["thinking"].strip() else None

    def _call(self, call: ToolCall) -> Block:
        return {
            "type": "tool_use",
            "id": self.ids.to_wire(call.id),
            "name": self.names.to_wire(call.name),
            "input": {"input": call.arguments} if call.custom else _arguments(call.arguments),
        }


def conversation(
    messages: tuple[Message, ...],
    model: Model,
    compat: Compat,
    *,
    ids: IdMap,
    names: ToolNames,
    remembered: Mapping[str, Json],
) -> Conversation:
    """The repaired history. ``messages`` have been through :func:`piproxy.transcript.repaired`.

    Raises :class:`InvalidRequest` when nothing is left to send, or the last turn is the assistant's and the model
    cannot go on from there.
    """
    writer = _Writer(model, compat, ids, names, remembered)
    for message in transcript.with_a_question(messages):
        writer.write(message)
    writer.place_waiting()
    writer.system.extend(writer.waiting)
    if not writer.turns:
        raise InvalidRequest("No message has any content.", param="messages")
    told = Conversation(writer.system, writer.turns)
    if told.prefilled:
        _check_prefill(told, compat)
    return told


def _check_prefill(told: Conversation, compat: Compat) -> None:
    """Claude from 4.6 on refuses a conversation that ends with the assistant; older ones refuse white space there."""
    if compat.native and compat.adaptive:
        raise InvalidRequest(
            "The last message is the assistant's. This model cannot continue it; end with a user message.",
            param="messages",
        )
    last = told.turns[-1]["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _arguments(text: str) -> Json:
    """A call's arguments as the object that the API wants; what is none is wrapped rather than lost."""
    if not text.strip():
        return {}
    try:
        value = jsontext.parse(text)
    except (ValueError, RecursionError):
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": text}
