"""The shape of a request body, as pydantic models: OpenAI's Chat Completions reference (openai-python 3.54) plus what
real clients add to it (field.md, 3.2).

Types are strict: ``"5"`` is no number and ``1`` no boolean. ``None`` means absent. Unknown keys *inside* messages,
parts and tools are ignored, as SDKs leave their own there; unknown top-level keys are settled before, by the table in
:mod:`piproxy.openai.fields`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from piproxy.jsontext import Json

Number = int | float
"""Kept as it was written: some providers take ``1`` where they refuse ``1.0``."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class _Shape(BaseModel):
    # pydantic would build a validator for each shape; only that of the whole is ever used, and it is built below.
    model_config = ConfigDict(strict=True, extra="ignore", protected_namespaces=(), defer_build=True)


CacheMark = Annotated[
    Json | None, Field(validation_alias=AliasChoices("cache_control", "copilot_cache_control"), default=None)
]
"""Anthropic's shape; VS Code's Copilot has its own name for it."""


class _Cacheable(_Shape):
    cache_control: CacheMark
    prompt_cache_breakpoint: Json | None = None


class TextPart(_Cacheable):
    type: Literal["text"]
    text: str


class ImageURL(_Shape):
    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(_Cacheable):
    type: Literal["image_url"]
    image_url: ImageURL | str


class AudioData(_Shape):
    data: str
    format: str


class AudioPart(_Cacheable):
    type: Literal["input_audio"]
    input_audio: AudioData


class FileData(_Shape):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(_Cacheable):
    type: Literal["file"]
    file: FileData


class RefusalPart(_Shape):
    type: Literal["refusal"]
    refusal: str


class ThinkingPart(_Shape):
    """Mistral's (a list of texts) or Anthropic's (a text) thinking, as their own clients give it back."""

    type: Literal["thinking"]
    thinking: str | list[TextPart]


UserPart = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
ToolPart = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]
AssistantPart = Annotated[TextPart | RefusalPart | ThinkingPart, Field(discriminator="type")]


class FunctionCall(_Shape):
    name: str
    arguments: str | None = None


class CustomCall(_Shape):
    name: str
    input: str | None = None


class ToolCall(_Shape):
    id: str
    type: Literal["function", "custom"] | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    extra_content: Json | None = None


class _Message(_Shape):
    name: str | None = None
    cache_control: CacheMark


class SystemMessage(_Message):
    role: Literal["system", "developer"]
    content: str | list[TextPart]


class UserMessage(_Message):
    role: Literal["user"]
    content: str | list[UserPart]


class AssistantMessage(_Message):
    role: Literal["assistant"]
    content: str | list[AssistantPart] | None = None
    tool_calls: list[ToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    reasoning_details: Json | None = None
    refusal: str | None = None
    audio: Json | None = None
    function_call: Json | None = None


class ToolMessage(_Message):
    role: Literal["tool"]
    tool_call_id: str
    content: str | list[ToolPart]


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class FunctionTool(_Shape):
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None
    cache_control: Json | None = None


class CustomTool(_Shape):
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    format: dict[str, Json] | None = None


class Tool(_Shape):
    type: Literal["function", "custom"] | None = None
    function: FunctionTool | None = None
    custom: CustomTool | None = None
    cache_control: Json | None = None


class Name(_Shape):
    name: str


class NamedTool(_Shape):
    type: Literal["function", "custom"]
    function: Name | None = None
    custom: Name | None = None


class AllowedTools(_Shape):
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1)]


class ToolChoice(_Shape):
    type: Literal["function", "custom", "allowed_tools"]
    function: Name | None = None
    custom: Name | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(_Shape):
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    schema_: Annotated[dict[str, Json] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormat(_Shape):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(_Shape):
    include_usage: bool | None = None


class Reasoning(_Shape):
    """The ``reasoning`` object of the Responses API and of OpenRouter."""

    effort: Effort | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class UsageWish(_Shape):
    """OpenRouter's ``usage: {"include": true}``."""

    include: bool | None = None


class Request(_Shape):
    """The whole body. Ranges are OpenAI's, where they are the same for every provider."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    usage: UsageWish | None = None

    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: int | None = None
    min_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, Annotated[Number, Field(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    n: Annotated[int, Field(ge=1)] | None = None

    reasoning_effort: Effort | None = None
    reasoning: Reasoning | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Json] | None = None
    store: bool | None = None
    service_tier: str | None = None
    prediction: dict[str, Json] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Json] | None = None
    cache_control: dict[str, Json] | None = None
    web_search_options: dict[str, Json] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: dict[str, Json] | None = None
    functions: list[dict[str, Json]] | None = None
    function_call: Literal["none", "auto"] | Name | None = None


Request.model_rebuild()
