"""Every top-level field of OpenAI's Chat Completions request, and those that real clients add: one table.

:mod:`piproxy.openai.decode` decides by it which fields it knows and which values change nothing; :func:`markdown`
renders it for the README. Fields are those of openai-python 3.54 (field.md, 3.1); what becomes of them per API follows
the wire references (openai family, 12; native APIs, 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from piproxy.jsontext import Json, dump

Class: TypeAlias = Literal["carry", "no-op only", "refuse"]
"""``carry``: forwarded or translated where the API has a place for it. ``no-op only``: only values that change nothing.
``refuse``: the same, and ``strictness`` cannot soften it, since the answer could not be given."""

APIS: Final = (
    "openai-completions",
    "openai-responses",
    "azure-openai-responses",
    "openai-codex-responses",
    "mistral-conversations",
    "anthropic-messages",
    "google-generative-ai",
    "bedrock-converse-stream",
    "pi-messages",
)
"""The columns of the table; ``google-vertex`` is like ``google-generative-ai``."""

_WORDS: Final = {"F": "forwarded", "T": "translated", "S": "skipped", "R": "refused", "-": "no-op only"}


@dataclass(frozen=True, slots=True)
class Field:
    """One request field.

    ``apis`` has one letter per API of :data:`APIS`: F forwarded, T translated, S skipped and named in
    ``x-piproxy-dropped-params``, R refused with 422.
    """

    name: str
    apis: str
    note: str = ""
    noop: tuple[Json, ...] = ()
    """Values, beside ``null``, that change nothing."""
    kind: Class = "carry"
    hint: str = ""
    """What to do instead; part of the refusal."""
    standard: bool = True
    """In OpenAI's reference."""

    def changes_nothing(self, value: Json) -> bool:
        return value is None or any(value == other and type(value) is type(other) for other in self.noop)

    def disposition(self, api: str) -> str:
        """``forwarded``, ``translated``, ``skipped``, ``refused`` or ``no-op only``."""
        column = "google-generative-ai" if api == "google-vertex" else api
        return _WORDS["-" if self.kind != "carry" else self.apis[APIS.index(column)]]


def _none(name: str, note: str, *noop: Json, kind: Class = "refuse", hint: str = "") -> Field:
    return Field(name, "-" * len(APIS), note, noop, kind, hint)


#    openai-completions, -responses, azure, codex, mistral, anthropic, google, bedrock, pi-messages
_TABLE: Final = (
    Field("model", "TTTTTTTTT", "public or canonical id"),
    Field("messages", "TTTTTTTTT", "all roles; content as a string or an array for every role"),
    Field("stream", "TTTTTTTTT", "the provider is always streamed; a non-streaming client gets the folded answer"),
    Field("stream_options", "TTTTTTTTT", "`include_usage`; `include_obfuscation` changes nothing here"),
    Field("temperature", "FFFSFTFTT", "0 to 2; brought into the provider's range; skipped where a model forbids it"),
    Field("top_p", "FFFSFTTTS", "0 to 1; skipped where a model forbids it"),
    Field("max_completion_tokens", "TTTSTTTTT", "wins over `max_tokens`"),
    Field("max_tokens", "TTTSTTTTT"),
    Field("stop", "FTTTFTTTS", "string or array of any length; emulated where the API has none", ("", [])),
    Field("seed", "FSSSTSTSS"),
    Field("frequency_penalty", "FSSSFSSSS", "", (0, 0.0)),
    Field("presence_penalty", "FSSSFSSSS", "", (0, 0.0)),
    Field("logit_bias", "FRRRRRRRR", "refused for providers of the first API that have none", ({},)),
    Field("logprobs", "FTTRRRRRR", "the same", (False,)),
    Field("top_logprobs", "FTTRRRRRR", "needs `logprobs: true`", (0,)),
    Field("tools", "FTTTFTTTT", "function and custom tools; any valid JSON Schema, untouched", ([],)),
    Field("tool_choice", "FTTTTTTTT", "strings, named tools, `allowed_tools`"),
    Field("parallel_tool_calls", "FFFFFTSSS", "", (True,)),
    Field("response_format", "FTTTFTTTT", "`text`, `json_object`, `json_schema`", ({"type": "text"},)),
    Field("reasoning_effort", "TTTTTTTTT", "`none` to `max`, clamped to what the model has; absent sends nothing"),
    Field("verbosity", "FTTTSSSSS", "", ("medium",)),
    Field("user", "FFFSSTSSS"),
    Field("safety_identifier", "FFFSSTSSS"),
    Field("metadata", "FFFSFSSSS", "", ({},)),
    Field("store", "FFFSSSSSS", "", (False,)),
    Field("service_tier", "FFSSFTTTS", "", ("auto",)),
    Field("prediction", "FSSSFSSSS"),
    Field("prompt_cache_key", "FFFFFTSST", "also used for cache affinity"),
    Field("prompt_cache_retention", "FFFSSTSTT"),
    Field("prompt_cache_options", "FFFSSSSSS", "", ({},)),
    Field("web_search_options", "FRRRRRRRR", "only OpenAI's own search models"),
    _none("n", "an answer has one choice", 1, hint="Send one request per choice."),
    _none("modalities", "answers are text", ["text"], [], hint='Ask for ["text"].'),
    _none("audio", "answers are text", hint="Leave it out."),
    _none("functions", "deprecated", [], hint="Use 'tools' with tools of the type 'function'."),
    _none("function_call", "deprecated", "none", "auto", hint="Use 'tool_choice'."),
    _none("moderation", "no API but OpenAI's own has it", kind="no-op only", hint="Call a moderation endpoint first."),
    Field("top_k", "FSSSSTTTS", "", (0, -1), standard=False),
    Field("min_p", "FSSSSSSSS", "", (0, 0.0), standard=False),
    Field("reasoning", "TTTTTTTTT", "as in the Responses API and OpenRouter: `effort`, `max_tokens`, `enabled`", ({},),
          standard=False),
    Field("cache_control", "TSSSSTSTS", "at the root: mark the stable prompt prefix; also on messages, parts and tools",
          standard=False),
    Field("usage", "TTTTTTTTT", "OpenRouter's `{include: true}`, the same as `stream_options.include_usage`",
          ({}, {"include": False}), standard=False),
)  # fmt: skip

FIELDS: Final[Mapping[str, Field]] = MappingProxyType({field.name: field for field in _TABLE})
"""By name, in the order of the table."""


def markdown() -> str:
    """The README's field table."""
    heads = ("completions", "responses", "azure", "codex", "mistral", "anthropic", "google", "bedrock", "pi-messages")
    lines = [
        "| field | " + " | ".join(heads) + " | remarks |",
        "|---|" + "---|" * (len(heads) + 1),
    ]
    for field in _TABLE:
        cells = [field.disposition(api) for api in APIS]
        lines.append(f"| `{field.name}` | {' | '.join(cells)} | {_remarks(field)} |")
    return "\n".join(lines) + "\n"


def _remarks(field: Field) -> str:
    parts = [field.note] if field.note else []
    if field.noop:
        values = dict.fromkeys(f"`{dump(value).decode()}`" for value in field.noop)
        parts.append(f"changes nothing: {', '.join(values)}")
    if not field.standard:
        parts.append("not in OpenAI's reference")
    return "; ".join(parts)
