"""The state of one answer: chunks, or one whole completion, in; events out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from piproxy.budget import estimated_usage
from piproxy.errors import PiproxyError, ProviderError, UpstreamBroken
from piproxy.events import (
    Event,
    LogprobsDelta,
    ReasoningDelta,
    ReasoningOpaque,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
)
from piproxy.jsontext import Json
from piproxy.providererror import complaint_in, provider_error
from piproxy.wire.openai_completions import finish, reasoning
from piproxy.wire.openai_completions.request import Notes
from piproxy.wire.openai_completions.toolcalls import ToolCalls
from piproxy.wire.openai_completions.usage import usage_of

_PLAIN: Final = frozenset(("role", "content", "refusal", "tool_calls"))
"""Keys of a delta that never hold thinking."""
_TEXT: Final = frozenset(("role", "content"))
_ANSWER_KEYS: Final = frozenset(("choices", "usage", "x_groq", "prompt_filter_results"))


class Answer:
    """Reads parsed chunks in order. Raises :class:`ProviderError` for an error among them."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._calls = ToolCalls(notes.wire_id)
        self._started = False
        self._id: str | None = None
        self._model: str | None = None
        self._reason: str | None = None
        self._usage: Mapping[str, Json] | None = None
        self._side_usage: Mapping[str, Json] | None = None
        self._details: list[dict[str, Json]] = []
        self._reasoned: list[str] = []
        self._named_reasoning = False
        self._said = 0

    @property
    def finished(self) -> bool:
        """The upstream said why it stopped."""
        return self._reason is not None

    @property
    def begun(self) -> bool:
        """A chunk of an answer has come."""
        return self._started or self._id is not None

    def text_of(self, chunk: Json) -> str | None:
        """The text of a chunk that brings text and nothing else, as nearly all do; any other is for :meth:`read`."""
        if type(chunk) is not dict or not self._started:
            return None
        if chunk.get("error") or chunk.get("usage") or chunk.get("x_groq"):
            return None
        choices = chunk.get("choices")
        choice = choices[0] if type(choices) is list and len(choices) == 1 else None
        if type(choice) is not dict or chunk.get("object") == "error":
            return None
        if choice.get("finish_reason") or choice.get("logprobs") or choice.get("index"):
            return None
        if choice.get("usage") or choice.get("error"):
            return None
        delta = choice.get("delta")
        if type(delta) is not dict:
            return None
        if len(delta) > 1 and any(value for key, value in delta.items() if key not in _TEXT):
            return None
        text = delta.get("content")
        if type(text) is not str or not text:
            return None
        self._said += len(text)
        return text

    def read(self, chunk: Json, *, whole: bool = False) -> Iterator[Event]:
        """Events of one chunk (``chat.completion.chunk``), or of a ``whole`` ``chat.completion``.

        Perplexity sends ``delta`` and ``message`` side by side: in a chunk the delta counts, in a whole the message.
        """
        fault = _fault(chunk)
        if fault is not None:
            raise fault
        if not isinstance(chunk, dict):
            raise UpstreamBroken("The provider sent a frame that is no object.")
        self._identity(chunk)
        self._count(chunk)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                yield from self._choice(choice, ("message", "delta") if whole else ("delta", "message"))

    def end(self) -> Iterator[Event]:
        """The answer is complete: opaque thinking, usage and the finish."""
        self._calls.check()
        if self._notes.silent_overflow and self._reason == "length" and not self._said:
            raise finish.overflow()
        yield from self._start()
        if self._details:
            yield ReasoningOpaque(self._details)
        yield self.used
        yield finish.finish(self._reason, calls=len(self._calls) > 0)

    @property
    def replay(self) -> dict[str, Json]:
        """What the upstream wants back with the next request, by tool-call id."""
        common: dict[str, Json] = {}
        if self._details:
            common["reasoning_details"] = self._details
        if self._reasoned:
            common["reasoning"] = "".join(self._reasoned)
        found: dict[str, Json] = {}
        for at, call_id in enumerate(self._calls.ids):
            own = dict(common) if at == 0 else {}
            if call_id in self._calls.extras:
                own["extra_content"] = self._calls.extras[call_id]
            if own:
                found[call_id] = {"model": self._notes.model, **own}
        return found

    def _identity(self, chunk: Mapping[str, Json]) -> None:
        given, model = chunk.get("id"), chunk.get("model")
        self._id = self._id or (given if isinstance(given, str) and given else None)
        self._model = self._model or (model if isinstance(model, str) and model else None)

    def _count(self, chunk: Mapping[str, Json]) -> None:
        """The last usage wins; one beside a choice or in ``x_groq`` counts where there is no other."""
        usage = chunk.get("usage")
        if isinstance(usage, dict) and usage:
            self._usage = usage
        groq = chunk.get("x_groq")
        if isinstance(groq, dict) and isinstance(groq.get("usage"), dict):
            self._side_usage = groq["usage"]

    @property
    def used(self) -> Usage:
        """The provider's numbers, else an estimate: whoever asks for usage waits for it."""
        counted = self._usage or self._side_usage
        usage = usage_of(counted, dollars=self._notes.openrouter) if counted else None
        return usage or estimated_usage(self._notes.prompt, self._said, sum(map(len, self._reasoned)))

    def _start(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started(self._id, self._model)

    def _choice(self, choice: Mapping[str, Json], places: tuple[str, str]) -> Iterator[Event]:
        yield from self._start()
        usage = choice.get("usage")
        if isinstance(usage, dict) and usage:
            self._side_usage = usage
        delta = next((choice[place] for place in places if isinstance(choice.get(place), dict)), None)
        if delta is not None:
            for event in self._delta(delta):
                self._said += _length(event)
                yield event
        logprobs = choice.get("logprobs")
        if logprobs and self._notes.logprobs:
            yield LogprobsDelta(logprobs)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            failed = finish.failure(reason)
            if failed is not None:
                raise failed
            self._reason = self._reason or reason

    def _delta(self, delta: Mapping[str, Json]) -> Iterator[Event]:
        parts = [part for part in reasoning.content_parts(delta.get("content")) if part[0]]
        in_parts = any(thought for _, thought in parts)
        if in_parts or not delta.keys() <= _PLAIN:
            yield from self._thinking(delta, in_parts=in_parts)
        for text, thought in parts:
            if thought:
                self._reasoned.append(text)
            yield ReasoningDelta(text) if thought else TextDelta(text)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            yield RefusalDelta(refusal)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield from self._calls.read(call)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            yield from self._calls.read({"index": 0, "function": legacy})

    def _thinking(self, delta: Mapping[str, Json], *, in_parts: bool) -> Iterator[Event]:
        items = reasoning.detail_items(delta)
        reasoning.add_details(self._details, items)
        text = "" if in_parts else reasoning.named_text(delta)
        if text or in_parts:
            self._named_reasoning = True
        elif not self._named_reasoning:
            text = reasoning.detail_text(items)
        if text:
            self._reasoned.append(text)
            yield ReasoningDelta(text)


def _length(event: Event) -> int:
    """Characters that an event brings."""
    match event:
        case TextDelta(text) | ReasoningDelta(text) | RefusalDelta(text):
            return len(text)
        case ToolCallStart():
            return len(event.name)
        case ToolCallDelta():
            return len(event.arguments)
        case _:
            return 0


def _fault(chunk: Json) -> PiproxyError | None:
    """The error that a frame holds instead of, or beside, a piece of an answer."""
    if isinstance(chunk, list) and len(chunk) == 1:
        chunk = chunk[0]
        return _fault(chunk) or UpstreamBroken("The provider sent a list where an object belongs.")
    if not isinstance(chunk, dict):
        return None
    if isinstance(chunk.get("error"), dict | str) and chunk["error"]:
        return _mapped(chunk)
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("error"), dict) and choice["error"]:
            return _mapped(choice)
    if chunk.get("object") == "error" or (_ANSWER_KEYS.isdisjoint(chunk) and _complains(chunk)):
        return _mapped(chunk)
    return None


def _complains(chunk: Mapping[str, Json]) -> bool:
    """No piece of an answer, but a text about a failure (servers that do not wrap their errors)."""
    return any(chunk.get(name) for name in ("message", "detail", "errors", "title")) and "id" not in chunk


def _mapped(value: Json) -> ProviderError:
    return provider_error(None, complaint_in(value))
