"""System messages in one place, for upstreams that take them only there (wire reference, 3.2 and 3.3)."""

from __future__ import annotations

from dataclasses import replace

from piproxy import transcript
from piproxy.chat import Content, Part, SystemMessage, Text


def folded(messages: transcript.Messages) -> transcript.Messages:
    """One system message at the head: the texts of all of them, in order and byte for byte.

    Strings are joined by an empty line; where one is an array, all become parts of one array.
    """
    system, rest = transcript.all_system(messages)
    if len(system) < 2 and messages[:1] == system[:1]:
        return messages
    if not system:
        return messages
    content: Content
    if all(isinstance(message.content, str) and message.cache_control is None for message in system):
        content = "\n\n".join(transcript.joined(message.content) for message in system)
    else:
        content = tuple(part for message in system for part in _marked(message))
    return (SystemMessage(content, role=system[0].role, name=system[0].name), *rest)


def _marked(message: SystemMessage) -> tuple[Part, ...]:
    """The parts of a message that will be folded: its own mark moves to its last text."""
    parts = transcript.parts(message.content)
    if message.cache_control is None or not parts or not isinstance(parts[-1], Text):
        return parts
    return (*parts[:-1], replace(parts[-1], cache_control=message.cache_control))
