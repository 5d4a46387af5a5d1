"""What a client asks for, in no vendor's words.

Strings are the client's, byte for byte (decision 1 of the design): nothing here trims, joins or re-serialises. ``None``
means that the client said nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from piproxy.jsontext import Json, Verbatim


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    cache_control: Json | None = None
    """The client's own cache mark (Anthropic's shape) or ``prompt_cache_breakpoint``."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image part; ``url`` is a ``data:`` URI, already checked to be base64, or an ``http(s)`` address."""

    url: str
    detail: str | None = None
    cache_control: Json | None = None

    @property
    def remote(self) -> bool:
        return not self.url.startswith("data:")

    @property
    def media_type(self) -> str:
        """``image/png`` … of a ``data:`` URI."""
        return self.url[5 : self.url.index(";")]

    @property
    def data(self) -> str:
        """The base64 text of a ``data:`` URI."""
        return self.url[self.url.index(",") + 1 :]

    @property
    def url_value(self) -> Json:
        """:attr:`url` for the body of a request, where it may be large."""
        return self.url if self.remote else Verbatim(self.url)

    @property
    def data_value(self) -> Json:
        """:attr:`data` for the body of a request."""
        return Verbatim(self.url, self.url.index(",") + 1)


@dataclass(frozen=True, slots=True)
class File:
    """A document part, OpenAI's ``file``: inline (``data`` is a ``data:`` URI or plain base64) or by id."""

    data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """An ``input_audio`` part: base64 ``data`` and ``format`` (``wav``, ``mp3``)."""

    data: str
    format: str
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal part of an assistant message."""

    text: str


Part: TypeAlias = Text | Image | File | Audio | Refusal
Content: TypeAlias = str | tuple[Part, ...]
"""A plain string stays a string; an array stays an array."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call in the history. ``arguments`` is the text as the client sent it (for a custom tool: the input)."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    extra_content: Json | None = None


@dataclass(frozen=True, slots=True)
class SystemMessage:
    content: Content
    role: Literal["system", "developer"] = "system"
    name: str | None = None
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class UserMessage:
    content: Content
    name: str | None = None
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    content: Content | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    """``reasoning_content``, or its other names ``reasoning`` and ``reasoning_text``."""
    reasoning_details: Json | None = None
    """Opaque reasoning that the client gives back (OpenRouter's list, or what we gave it)."""
    refusal: str | None = None
    name: str | None = None
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class ToolMessage:
    content: Content
    tool_call_id: str
    name: str | None = None
    cache_control: Json | None = None


Message: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True)
class Tool:
    """A function tool, or a custom (free-text) one with ``format``. ``parameters`` is the schema as given."""

    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None
    custom: bool = False
    format: Json | None = None
    cache_control: Json | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``mode`` alone; or ``named`` with ``names == (that one,)``; or ``auto``/``required`` among ``names`` only."""

    mode: Literal["none", "auto", "required", "named"]
    names: tuple[str, ...] = ()
    """With ``auto`` and ``required``: OpenAI's ``allowed_tools``; empty means all tools."""
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One chat request. Field names are OpenAI's unless the docstring says otherwise."""

    model: str
    """As the client wrote it (a public or a canonical id)."""
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    """``stream_options.include_usage``; without ``stream`` usage is always given."""

    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    max_tokens: int | None = None
    """``max_completion_tokens``, else ``max_tokens``: the whole output, reasoning included."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[str, float] = field(default_factory=dict)
    logprobs: bool = False
    top_logprobs: int | None = None

    reasoning_effort: str | None = None
    """``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh``, ``max``; also from a ``reasoning`` object."""
    verbosity: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: Mapping[str, Json] | None = None
    store: bool | None = None
    service_tier: str | None = None
    prediction: Json | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Json | None = None
    cache_control: Json | None = None
    """At the root: mark the prompt's stable prefix for caching (Anthropic's shape)."""
    web_search_options: Json | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)
    """Unknown fields, present only under ``strictness: pass``."""
    given: tuple[str, ...] = ()
    """The optional request fields, by the client's names, that were set to a value that changes something."""


def place_of(messages: Sequence[Message], part: object) -> str | None:
    """``messages[0].content[2]``, where a part stands in a request."""
    for at, message in enumerate(messages):
        if isinstance(message.content, tuple):
            for number, other in enumerate(message.content):
                if other is part or other == part:
                    return f"messages[{at}].content[{number}]"
    return None
