"""Repairs that every API needs before it takes a history (wire-native-apis.md, 1.4 and 1.5).

Small pure functions over tuples of :data:`piproxy.chat.Message`; each keeps every word that was said. A room picks the
ones that its API needs; :func:`repaired` is the usual set.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from piproxy.chat import (
    AssistantMessage,
    Content,
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
from piproxy.toolids import unrepeated

Messages: TypeAlias = tuple[Message, ...]

NO_RESULT: Final = "No result provided"
"""What a call without a result is answered with (pi's words)."""
NO_IMAGES: Final = "(image omitted: model does not support images)"
NO_TOOL_IMAGES: Final = "(tool image omitted: model does not support images)"


def texts(content: Content | None) -> tuple[str, ...]:
    """The texts of a content, refusals among them, in order; everything else is left out."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (content,)
    return tuple(part.text for part in content if isinstance(part, Text | Refusal))


def joined(content: Content | None, separator: str = "\n") -> str:
    """The texts of a content as one string."""
    return separator.join(texts(content))


def parts(content: Content | None) -> tuple[Part, ...]:
    """A content as parts; a string is one text part, and an empty string none."""
    if content is None or content == "":
        return ()
    return (Text(content),) if isinstance(content, str) else content


def has_images(messages: Iterable[Message]) -> bool:
    """Whether any message shows an image."""
    return any(isinstance(part, Image) for message in messages for part in parts(message.content))


def has_remote_images(messages: Iterable[Message]) -> bool:
    """Whether any message names an image by its address."""
    return any(isinstance(part, Image) and part.remote for message in messages for part in parts(message.content))


def lost_names(messages: Iterable[Message]) -> tuple[str, ...]:
    """What to report where an API has no names of speakers; those of tools it finds by the call."""
    named = any(message.name is not None for message in messages if not isinstance(message, ToolMessage))
    return ("messages.name",) if named else ()


def leading_system(messages: Messages) -> tuple[tuple[SystemMessage, ...], Messages]:
    """The system and developer messages that open the conversation, and the rest."""
    leading: list[SystemMessage] = []
    for message in messages:
        if not isinstance(message, SystemMessage):
            break
        leading.append(message)
    return tuple(leading), messages[len(leading) :]


def all_system(messages: Messages) -> tuple[tuple[SystemMessage, ...], Messages]:
    """All system and developer messages wherever they stand, and the rest: for an API with one system prompt."""
    return (
        tuple(message for message in messages if isinstance(message, SystemMessage)),
        tuple(message for message in messages if not isinstance(message, SystemMessage)),
    )


def with_a_question(messages: Messages) -> Messages:
    """For an API that wants something to answer: of nothing but system messages the last one is said by the user."""
    system, rest = leading_system(messages)
    if rest or not system:
        return messages
    last = system[-1]
    return (*system[:-1], UserMessage(last.content, cache_control=last.cache_control))


def call_names(messages: Iterable[Message]) -> Mapping[str, str]:
    """Function name by tool-call id; with a repeated id the last one counts."""
    return {call.id: call.name for message in messages for call in calls(message)}


def calls(message: Message) -> tuple[ToolCall, ...]:
    """The tool calls of a message, of whatever role."""
    return message.tool_calls if isinstance(message, AssistantMessage) else ()


def call_ids(messages: Iterable[Message]) -> tuple[str, ...]:
    """Every tool-call id, of calls and of results, in order and once."""
    ids: dict[str, None] = {}
    for message in messages:
        ids.update((call.id, None) for call in calls(message))
        if isinstance(message, ToolMessage):
            ids[message.tool_call_id] = None
    return tuple(ids)


def unique_ids(messages: Messages) -> Messages:
    """Every call has an id of its own: a repeated one gets ``-2``, ``-3`` …, and its results follow.

    Some servers number their calls anew in each turn, or give the calls of one turn the same id; their results belong
    to them in their order. Other APIs refuse a history with a repeated id.
    """
    taken = set(call_ids(messages))
    seen: set[str] = set()
    now: dict[str, list[str]] = {}
    fixed: list[Message] = []
    for message in messages:
        if isinstance(message, AssistantMessage) and message.tool_calls:
            renamed: list[ToolCall] = []
            now |= {call.id: [] for call in message.tool_calls}
            for call in message.tool_calls:
                own = unrepeated(call.id, taken) if call.id in seen else call.id
                seen.add(call.id)
                now[call.id].append(own)
                renamed.append(replace(call, id=own))
            fixed.append(replace(message, tool_calls=tuple(renamed)))
        elif isinstance(message, ToolMessage) and message.tool_call_id in now:
            waiting = now[message.tool_call_id]
            own = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            fixed.append(replace(message, tool_call_id=own))
        else:
            fixed.append(message)
    return tuple(fixed)


def with_results(messages: Messages) -> Messages:
    """Every call is answered before the next user or assistant turn.

    Results stand in the order of their calls. One that comes late, but before the next assistant turn, is moved up to
    its call; a call that has none gets :data:`NO_RESULT`. Call :func:`without_orphans` first.
    """
    fixed: list[Message] = []
    placed: frozenset[str] = frozenset()
    for at, message in enumerate(messages):
        if isinstance(message, ToolMessage) and message.tool_call_id in placed:
            continue
        fixed.append(message)
        if not isinstance(message, AssistantMessage):
            continue
        placed = frozenset(call.id for call in message.tool_calls)
        if placed:
            found = _results(messages, at)
            for call in message.tool_calls:
                waiting = found.get(call.id)
                fixed.append(waiting.pop(0) if waiting else ToolMessage(NO_RESULT, call.id, name=call.name))
    return tuple(fixed)


def without_orphans(messages: Messages) -> Messages:
    """A result that answers no call of the turn before it, or a second time, becomes a user turn with its content."""
    unanswered: Counter[str] = Counter()
    fixed: list[Message] = []
    for message in messages:
        if isinstance(message, AssistantMessage):
            unanswered = Counter(call.id for call in message.tool_calls)
        if isinstance(message, ToolMessage) and not unanswered[message.tool_call_id]:
            fixed.append(UserMessage(message.content, cache_control=message.cache_control))
            continue
        if isinstance(message, ToolMessage):
            unanswered[message.tool_call_id] -= 1
        fixed.append(message)
    return tuple(fixed)


def without_images(messages: Messages) -> Messages:
    """Each run of images becomes one text that says so, for a model that takes none."""
    return tuple(
        replace(
            message,
            content=_placeheld(message.content, NO_TOOL_IMAGES if isinstance(message, ToolMessage) else NO_IMAGES),
        )
        if isinstance(message.content, tuple) and has_images((message,))
        else message
        for message in messages
    )


def merged_turns(messages: Messages) -> Messages:
    """Neighbouring user turns become one, and neighbouring assistant turns likewise; the parts stay apart.

    An assistant turn that calls tools is complete: nothing is merged behind it.
    """
    fixed: list[Message] = []
    for message in messages:
        before = fixed[-1] if fixed else None
        if isinstance(message, UserMessage) and isinstance(before, UserMessage):
            fixed[-1] = replace(
                before,
                content=_with_mark(before) + parts(message.content),
                cache_control=message.cache_control,
            )
        elif isinstance(message, AssistantMessage) and isinstance(before, AssistantMessage) and not before.tool_calls:
            fixed[-1] = replace(
                message,
                content=_with_mark(before) + _spoken(message),
                refusal=None,
                reasoning="\n".join(text for text in (before.reasoning, message.reasoning) if text) or None,
                reasoning_details=message.reasoning_details or before.reasoning_details,
            )
        else:
            fixed.append(message)
    return tuple(fixed)


def repaired(messages: Messages, *, takes_images: bool) -> Messages:
    """The usual set: own ids, no orphans, an answer to every call, no images for a model that takes none."""
    fixed = with_results(without_orphans(unique_ids(messages)))
    return fixed if takes_images else without_images(fixed)


def session_hash(model: str, messages: Messages) -> str:
    """A stable id of the conversation: of the model, the opening system texts and the first user text.

    All requests of a conversation share it, so a provider can find its prompt cache; 32 hexadecimal digits.
    """
    system, rest = leading_system(messages)
    first = next((message for message in rest if isinstance(message, UserMessage)), None)
    digest = hashlib.sha256()
    for text in (model, *(joined(message.content) for message in system), joined(first.content) if first else ""):
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()[:32]


def _results(messages: Messages, at: int) -> Mapping[str, list[ToolMessage]]:
    """The results between the turn at ``at`` and the next assistant turn, by the id of their call."""
    found: dict[str, list[ToolMessage]] = {}
    for message in messages[at + 1 :]:
        if isinstance(message, AssistantMessage):
            break
        if isinstance(message, ToolMessage):
            found.setdefault(message.tool_call_id, []).append(message)
    return found


def _placeheld(content: tuple[Part, ...], text: str) -> tuple[Part, ...]:
    placeheld: list[Part] = []
    in_run = False
    for part in content:
        if not isinstance(part, Image):
            placeheld.append(part)
        elif not in_run:
            placeheld.append(Text(text, part.cache_control))
        in_run = isinstance(part, Image)
    return tuple(placeheld)


def _spoken(message: UserMessage | AssistantMessage) -> tuple[Part, ...]:
    """The parts of a turn, an assistant's ``refusal`` among them."""
    refusal = message.refusal if isinstance(message, AssistantMessage) else None
    return (*parts(message.content), Refusal(refusal)) if refusal else parts(message.content)


def _with_mark(message: UserMessage | AssistantMessage) -> tuple[Part, ...]:
    """The parts of a turn that is about to be merged: its own cache mark moves to its last part."""
    spoken = _spoken(message)
    if message.cache_control is None or not spoken or isinstance(spoken[-1], Refusal):
        return spoken
    return (*spoken[:-1], replace(spoken[-1], cache_control=message.cache_control))
