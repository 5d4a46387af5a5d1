"""What the last user message asks the demo provider to do: words in square brackets (docs/demo.md)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

Ending: TypeAlias = Literal["break", "cut", "filter", "garbage", "hang", "length"]
"""What happens in the middle of the answer."""

MAX_PAUSE: Final = 60.0
"""Seconds between two words, at most."""
MAX_REPEAT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``text`` is the message without the wishes."""

    text: str
    calls: tuple[tuple[str, str | None], ...] = ()
    """Tool name and argument text, byte for byte; ``None``: make some from the tool's schema."""
    thinking: str | None = None
    slow: float = 0.0
    """Seconds before each word."""
    error: int | None = None
    """An HTTP status; 200 is an error in the middle of the stream."""
    ending: Ending | None = None
    silent: bool = False
    """No answer, not even a status."""
    unreachable: bool = False
    refuse: bool = False
    usage: bool = False
    """Make up cached tokens."""
    repeat: int = 1


_OPENING: Final = re.compile(
    r"\[(tool|think|slow|error|repeat|break|cut|filter|garbage|hang|length|silent|unreachable|refuse|usage)(?=[:\]])"
)
_TOOL: Final = re.compile(r":([\w.-]{1,64})(?: +(?=\{)|(?=\]))")
_WORDS: Final = re.compile(r":([^\]]*)")
_MODELS: Final = {"slow": "slow:0.5", "error-in-stream": "error:stream"}
"""Models that are not named like what they do."""
_decode = json.JSONDecoder().raw_decode


def wishes(text: str, model: str) -> Wishes:
    """Read the message; a model is a wish of its own. What is in brackets and is no wish stays text."""
    found = Wishes(text="")
    asked = f"[{_MODELS.get(model, model.replace('error-', 'error:'))}]"
    if (read := _wish(asked, 0, found)) is not None:
        found = read[0]
    elif model == "thinking":
        found = replace(found, thinking="")
    kept: list[str] = []
    at = 0
    for opening in _OPENING.finditer(text):
        if opening.start() >= at and (read := _wish(text, opening.start(), found)) is not None:
            kept.append(text[at : opening.start()])
            found, at = read
    rest = text[at:]
    return replace(found, text="".join([*kept, rest]).strip() if kept else rest)


def _wish(text: str, at: int, found: Wishes) -> tuple[Wishes, int] | None:
    """The wishes with the one at ``at``, and where it ends; ``None`` if it is none after all."""
    opening = _OPENING.match(text, at)
    if opening is None:
        return None
    name, at = opening[1], opening.end()
    argument: str | None = None
    if name == "tool":
        tool = _TOOL.match(text, at)
        if tool is None:
            return None
        argument, at = tool[1], tool.end()
        arguments: str | None = None
        if text[at] == "{":
            try:
                end = _decode(text, at)[1]
            except (ValueError, RecursionError):
                return None
            arguments, at = text[at:end], end
        found = replace(found, calls=(*found.calls, (argument, arguments)))
    else:
        if words := _WORDS.match(text, at):
            argument, at = words[1], words.end()
        wished = _plain(name, argument, found)
        if wished is None:
            return None
        found = wished
    return (found, at + 1) if text.startswith("]", at) else None


def _plain(name: str, argument: str | None, found: Wishes) -> Wishes | None:
    match name, argument:
        case "think", str(words):
            return replace(found, thinking=words.strip())
        case "slow", str(seconds) if re.fullmatch(r"\d{1,3}(\.\d{1,3})?", seconds):
            return replace(found, slow=min(float(seconds), MAX_PAUSE))
        case "error", "stream":
            return replace(found, error=200)
        case "error", str(status) if re.fullmatch(r"[45]\d\d", status):
            return replace(found, error=int(status))
        case "repeat", str(times) if re.fullmatch(r"[1-9]\d{0,4}", times):
            return replace(found, repeat=min(int(times), MAX_REPEAT))
        case "silent", None:
            return replace(found, silent=True)
        case "unreachable", None:
            return replace(found, unreachable=True)
        case "refuse", None:
            return replace(found, refuse=True)
        case "usage", None:
            return replace(found, usage=True)
        case ("break" | "cut" | "filter" | "garbage" | "hang" | "length") as ending, None:
            return replace(found, ending=ending)
    return None
