"""A chat as a request to an OpenAI-compatible upstream (wire reference, 2, 3, 8 and 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from piproxy import budget, thinking
from piproxy.chat import Chat, ResponseFormat
from piproxy.jsontext import Json, dump
from piproxy.model import Model
from piproxy.wire.openai_completions import address, cachemarks, limits, routing
from piproxy.wire.openai_completions.compat import Compat, compat_of
from piproxy.wire.openai_completions.messages import Writer
from piproxy.wire.openai_completions.thinking import thinking_fields
from piproxy.wire.openai_completions.tools import ToolWriter
from piproxy.wire.room import Options, WireRequest, refuse

_MEANINGS: Final = ("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "seed")
_WORDS: Final = ("user", "safety_identifier", "service_tier", "verbosity", "prompt_cache_options", "prediction")


@dataclass(frozen=True, slots=True)
class Notes:
    """What the parser must know about the request."""

    wire_id: str = ""
    """Makes up tool-call ids that the upstream leaves out."""
    infer_finish: bool = False
    """The upstream never says why it stops (``supportsFinishReason: false``)."""
    logprobs: bool = False
    openrouter: bool = False
    """``usage.cost`` is in US dollars."""
    silent_overflow: bool = False
    """A full context window shows as ``length`` without any output."""
    model: str = ""
    """The canonical id of the model: what is remembered of its answer is for this model alone."""
    prompt: Chat | None = None
    """To estimate the usage of an upstream that counts nothing."""


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request. Raises :class:`~piproxy.errors.UnsupportedParameter` for what this upstream could not answer, and
    :class:`~piproxy.errors.CredentialError` when the address is not configured."""
    compat = compat_of(model)
    refused = limits.refused(model, compat)
    refuse(chat, refused)
    base = address.base_url(model, options.env, azure=compat.has("azure"))
    body, dropped = _body(chat, model, compat, options, refused)
    return WireRequest(
        url=address.endpoint(base),
        body=dump(body),
        headers=routing.request_headers(chat, model, compat, options),
        auth="api-key" if address.classic_azure(base) else "bearer",
        dropped=dropped,
        notes=Notes(
            wire_id=options.wire_id,
            infer_finish=not compat.supportsFinishReason,
            logprobs=chat.logprobs,
            openrouter=compat.has("openrouter"),
            silent_overflow=compat.has("xiaomi"),
            model=model.canonical_id,
            prompt=chat,
        ),
    )


def _body(
    chat: Chat, model: Model, compat: Compat, options: Options, refused: frozenset[str]
) -> tuple[dict[str, Json], tuple[str, ...]]:
    writer = Writer(model, compat, options, refused)
    tools = ToolWriter(compat)
    level = thinking.wanted(model, chat.reasoning_effort)
    cap = _output_cap(chat, model, compat)
    messages = writer.messages(chat)
    offered = tools.fields(chat)
    mark = cachemarks.automatic_mark(chat, compat, options)
    if mark is not None:
        cachemarks.place(mark, messages, offered.get("tools", ()))
    thought = thinking_fields(model, compat, level, cap)
    plain = dict(_plain_fields(chat))
    dropped = [name for name in plain if name in refused]
    body: dict[str, Json] = {
        "model": address.deployment(model, options.env) if model.provider == "azure" else model.id,
        "messages": messages,
        "stream": True,
    }
    if compat.supportsUsageInStreaming:
        body["stream_options"] = {"include_usage": True}
    if compat.supportsStore:
        body["store"] = bool(chat.store)
    elif chat.store:
        dropped.append("store")
    if cap is not None:
        body[compat.maxTokensField] = cap
    body |= {name: value for name, value in plain.items() if name not in refused}
    body |= offered
    body |= thought
    body |= _cache_fields(chat, model, compat, options, dropped, marked=mark is not None)
    body |= _routing_fields(compat)
    if chat.reasoning_effort is not None and not thought and not _off_already(model, chat.reasoning_effort):
        dropped.append("reasoning_effort")
    overruled = _sampling(model, level)
    dropped += [name for name in overruled if name in plain and name not in dropped]
    body |= {name: value for name, value in chat.extra.items() if name not in ("model", "messages", "stream")}
    body |= overruled
    return body, tuple(dict.fromkeys((*dropped, *writer.dropped, *tools.dropped)))


def _output_cap(chat: Chat, model: Model, compat: Compat) -> int | None:
    """The client's number; without one, the model's own limit where the server's default would be small."""
    always = compat.host not in ("openai", "openrouter")
    chars = 0 if chat.max_tokens is not None or not always else budget.prompt_chars(chat)
    return budget.output_cap(chat.max_tokens, model, chars=chars, always=always)


def _plain_fields(chat: Chat) -> Iterator[tuple[str, Json]]:
    """Fields that mean the same everywhere, where the client gave them."""
    for name in (*_MEANINGS, *_WORDS):
        value = getattr(chat, name)
        if value is not None:
            yield name, value
    if chat.stop:
        yield "stop", list(chat.stop)
    if chat.logit_bias:
        yield "logit_bias", dict(chat.logit_bias)
    if chat.logprobs:
        yield "logprobs", True
    if chat.top_logprobs is not None:
        yield "top_logprobs", chat.top_logprobs
    if chat.metadata:
        yield "metadata", dict(chat.metadata)
    if chat.parallel_tool_calls is not None and chat.tools:
        yield "parallel_tool_calls", chat.parallel_tool_calls
    if chat.response_format is not None and chat.response_format.kind != "text":
        yield "response_format", _response_format(chat.response_format)
    if chat.web_search_options is not None:
        yield "web_search_options", chat.web_search_options
    if chat.prompt_cache_retention is not None:
        yield "prompt_cache_retention", chat.prompt_cache_retention


def _response_format(wanted: ResponseFormat) -> Json:
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    given = (
        ("name", wanted.name),
        ("description", wanted.description),
        ("schema", wanted.schema),
        ("strict", wanted.strict),
    )
    return {"type": "json_schema", "json_schema": {name: value for name, value in given if value is not None}}


def _cache_fields(
    chat: Chat, model: Model, compat: Compat, options: Options, dropped: list[str], *, marked: bool
) -> dict[str, Json]:
    """``prompt_cache_key``, long retention and a cache mark at the root."""
    fields: dict[str, Json] = {}
    if chat.prompt_cache_retention is None and options.cache == "long" and compat.supportsLongCacheRetention:
        fields["prompt_cache_retention"] = "24h"
    own = cachemarks.cache_key(compat, model.base_url, options)
    if chat.prompt_cache_key is not None:
        if compat.host in ("openai", "custom") or compat.promptCacheKeyMode == "enabled":
            fields["prompt_cache_key"] = chat.prompt_cache_key
        elif not compat.sendSessionAffinityHeaders:
            dropped.append("prompt_cache_key")
    elif own is not None:
        fields["prompt_cache_key"] = own
    if chat.cache_control is not None and not marked:
        if cachemarks.accepts(compat, cachemarks.mark_kind(chat.cache_control)):
            fields["cache_control"] = chat.cache_control
        else:
            dropped.append("cache_control")
    return fields


def _routing_fields(compat: Compat) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    if compat.openRouterRouting:
        fields["provider"] = dict(compat.openRouterRouting)
    gateway = {
        name: compat.vercelGatewayRouting[name] for name in ("only", "order") if compat.vercelGatewayRouting.get(name)
    }
    if gateway:
        fields["providerOptions"] = {"gateway": gateway}
    if compat.vllmPriority is not None:
        fields["priority"] = compat.vllmPriority
    return fields


def _off_already(model: Model, effort: str) -> bool:
    """A model that never thinks does what ``none`` asks for."""
    return effort == "none" and not model.reasoning


def _sampling(model: Model, level: str | None) -> Mapping[str, Json]:
    """Sampling parameters of the model entry, which win over everything else (as in pi)."""
    by_level = model.sampling_params_by_level.get(level, {}) if level is not None else {}
    return {**model.sampling_params, **by_level}
