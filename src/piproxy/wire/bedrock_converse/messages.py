"""The conversation as ``messages`` and ``system`` (wire reference, 5.3 and 5.4).

Roles must alternate, so neighbours are merged, and a turn begins with the results of the calls before it. Cache points
stand where the client marked its messages; if it marked nothing, behind the system prompt and the last user turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from piproxy import functiontools, transcript
from piproxy.chat import AssistantMessage, Chat, Message, SystemMessage, ToolMessage
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.toolids import BEDROCK, IdMap
from piproxy.wire.bedrock_converse.blocks import EMPTY, block, pruned, text
from piproxy.wire.bedrock_converse.claude import claude
from piproxy.wire.bedrock_converse.reasoning import layout_of
from piproxy.wire.bedrock_converse.tools import cache_point

Blocks = list[Json]


class Conversation:
    """Builds both members. ``marks``: the model takes cache points; ``long``: for an hour."""

    def __init__(
        self, chat: Chat, model: Model, replay: Mapping[str, Json], *, marks: bool, automatic: bool, long: bool
    ) -> None:
        system, rest = transcript.all_system(chat.messages)
        turns = transcript.repaired(rest, takes_images=model.takes_images)
        self._model = model
        self._replay = replay
        self._has_status = claude(model) is not None
        self._ids = IdMap(BEDROCK, transcript.call_ids(turns))
        self._long = long
        self._marks = marks
        own = _marked(chat)
        self.messages: list[dict[str, Json]] = []
        for turn in turns:
            self._add("assistant" if isinstance(turn, AssistantMessage) else "user", self._blocks(turn))
        self.system = self._system(system)
        if not self.messages and self.system:  # nothing but system texts: there must be a turn to answer
            self.messages, self.system = [{"role": "user", "content": self.system}], []
        elif self.messages and self.messages[0]["role"] != "user":
            self.messages.insert(0, {"role": "user", "content": [{"text": EMPTY}]})
        _complete_documents(self.messages)
        if marks and automatic and (not own or chat.cache_control is not None):
            self._mark_automatically(chat.cache_control)

    @property
    def forbids_a_budget(self) -> bool:
        """Claude refuses a thinking budget for an answer that is begun already, and in a running tool loop whose turns
        lost their thinking (another model's, or forgotten).
        """
        loop: list[dict[str, Json]] = []
        for message in reversed(self.messages):
            if message["role"] == "user" and not any("toolResult" in item for item in message["content"]):
                break
            loop.append(message)
        if loop and loop[0]["role"] == "assistant":
            return True
        spoken = [message["content"][0] for message in loop if message["role"] == "assistant"]
        return bool(spoken) and not any("reasoningContent" in first for first in spoken)

    def _add(self, role: str, blocks: Blocks) -> None:
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _blocks(self, message: Message) -> Blocks:
        if isinstance(message, AssistantMessage):
            return self._assistant(message)
        if isinstance(message, ToolMessage):
            return self._point_behind([self._result(message)], message.cache_control)
        return self._point_behind(self._parts(message) or [{"text": EMPTY}], message.cache_control)

    def _parts(self, message: Message) -> Blocks:
        blocks: Blocks = []
        for part in transcript.parts(message.content):
            made = block(part)
            if made is not None:
                blocks += self._point_behind([made], getattr(part, "cache_control", None))
        return blocks

    def _assistant(self, message: AssistantMessage) -> Blocks:
        calls = {
            call.id: {
                "toolUse": {
                    "toolUseId": self._ids.to_wire(call.id),
                    "name": call.name,
                    "input": pruned(functiontools.arguments(call)),
                }
            }
            for call in message.tool_calls
        }
        known = layout_of(message, self._model.id, self._replay)
        if known.exact:
            blocks: Blocks = [calls[entry["toolUse"]] if "toolUse" in entry else entry for entry in known.entries]
        else:
            refusal = text(message.refusal or "")
            blocks = [*known.entries, *self._parts(message), *([refusal] if refusal else []), *calls.values()]
        return self._point_behind(blocks, message.cache_control)

    def _result(self, message: ToolMessage) -> dict[str, Json]:
        blocks = [made for part in transcript.parts(message.content) if (made := block(part)) is not None]
        result: dict[str, Json] = {
            "toolUseId": self._ids.to_wire(message.tool_call_id),
            "content": blocks or [{"text": EMPTY}],
        }
        if self._has_status and message.content == transcript.NO_RESULT:
            result["status"] = "error"
        return {"toolResult": result}

    def _system(self, messages: Sequence[SystemMessage]) -> Blocks:
        """One block of all texts, with a blank line between; a cache mark ends a block."""
        blocks: Blocks = []
        texts: list[str] = []
        for message in messages:
            if said := transcript.joined(message.content):
                texts.append(said)
            mark = message.cache_control or next(
                (m for p in transcript.parts(message.content) if (m := getattr(p, "cache_control", None))), None
            )
            if mark is not None and texts:
                blocks += self._point_behind([{"text": "\n\n".join(texts)}], mark)
                texts = []
        if joined := text("\n\n".join(texts)):
            blocks.append(joined)
        return blocks

    def _point_behind(self, blocks: Blocks, mark: Json) -> Blocks:
        if mark is None or not self._marks or not blocks:
            return blocks
        return [*blocks, {"cachePoint": cache_point(mark, long=self._long)}]

    def _mark_automatically(self, mark: Json) -> None:
        point = {"cachePoint": cache_point(mark, long=self._long)}
        if self.system and "cachePoint" not in self.system[-1]:
            self.system.append(point)
        last = self.messages[-1] if self.messages else None
        if last and last["role"] == "user" and "cachePoint" not in last["content"][-1]:
            last["content"].append(point)


def _marked(chat: Chat) -> bool:
    """Whether the client placed cache marks itself."""
    return any(tool.cache_control is not None for tool in chat.tools) or any(
        message.cache_control is not None
        or any(getattr(part, "cache_control", None) is not None for part in transcript.parts(message.content))
        for message in chat.messages
    )


def _complete_documents(messages: Sequence[Mapping[str, Json]]) -> None:
    """A document needs a text beside it, and a name of its own."""
    names: set[str] = set()
    for message in messages:
        content = message["content"]
        documents = [item["document"] for item in content if "document" in item]
        for document in documents:
            name, number = document["name"], 2
            while document["name"] in names:
                document["name"] = f"{name} {number}"
                number += 1
            names.add(document["name"])
        if documents and not any("text" in item for item in content):
            content.append({"text": EMPTY})
