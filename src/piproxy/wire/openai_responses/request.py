"""Chat -> one request to ``/responses`` (wire reference, 4 and 12)."""

from __future__ import annotations

from typing import Final

from piproxy import budget, thinking
from piproxy.chat import Chat
from piproxy.jsontext import Json, dump, without_surrogates
from piproxy.model import Model
from piproxy.transcript import Messages, lost_names
from piproxy.wire.openai_responses import address, items, tools
from piproxy.wire.openai_responses.dialect import CHATGPT_NO_PLACE, NO_PLACE, Dialect, flag, refuse_impossible
from piproxy.wire.openai_responses.notes import Notes
from piproxy.wire.room import Options, WireRequest

MIN_OUTPUT: Final = 16
"""The least ``max_output_tokens`` that the API takes."""
ENCRYPTED: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"
_OPENAI: Final = Dialect()
_CHATGPT: Final = Dialect(no_place=NO_PLACE | CHATGPT_NO_PLACE, cache_options=False)


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """Raises :class:`~piproxy.errors.UnsupportedParameter` for what the API cannot do."""
    dialect = _CHATGPT if options.identity == "chatgpt" else _OPENAI
    body = common_body(chat, model, options, dialect, messages=chat.messages)
    return WireRequest(
        url=address.endpoint(model.base_url, "/responses", options.env),
        body=encoded(body),
        headers=address.headers(chat, model, options),
        dropped=dropped(chat, model, dialect),
        notes=notes(chat, model, options),
    )


def common_body(chat: Chat, model: Model, options: Options, dialect: Dialect, *, messages: Messages) -> dict[str, Json]:
    """What all variants send; ``messages`` are those that become input items."""
    refuse_impossible(chat, dialect)
    members: dict[str, Json] = {
        "model": model.id,
        "input": items.input_items(messages, model, options),
        "stream": True,
        "store": bool(chat.store) and dialect.places("store"),
        "max_output_tokens": _max_output(chat, model, dialect),
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "tools": tools.tool_list(chat, model, dialect) or None,
        "tool_choice": tools.tool_choice(chat),
        "parallel_tool_calls": chat.parallel_tool_calls,
        "reasoning": _reasoning(chat, model),
        "include": _include(chat, model) or None,
        "text": _text(chat) or None,
        "top_logprobs": chat.top_logprobs if chat.logprobs else None,
        "user": chat.user,
        "safety_identifier": chat.safety_identifier,
        "metadata": chat.metadata,
        "service_tier": chat.service_tier,
        "prompt_cache_key": address.cache_key(chat, model, options),
        "prompt_cache_retention": chat.prompt_cache_retention,
        "prompt_cache_options": chat.prompt_cache_options,
    }
    body = {name: value for name, value in members.items() if value is not None and dialect.places(name)}
    if dialect.cache_options:
        body = _our_retention(model, options) | body
    return _sampling(chat, model, dialect) | (dict(chat.extra) if dialect.extra else {}) | body


def dropped(chat: Chat, model: Model, dialect: Dialect) -> tuple[str, ...]:
    """The client's fields that this request leaves out."""
    missing = set(dialect.no_place)
    if not _takes_effort(model) and chat.reasoning_effort not in (None, "none"):
        missing |= {"reasoning_effort", "reasoning"}
    if not flag(model, "supportsMaxOutputTokens", default=True):
        missing |= {"max_tokens", "max_completion_tokens"}
    if not chat.store:
        missing.discard("store")
    unknown = () if dialect.extra else tuple(name for name in chat.extra if name not in chat.given)
    return (*(name for name in chat.given if name in missing), *unknown, *lost_names(chat.messages))


def notes(chat: Chat, model: Model, options: Options) -> Notes:
    """What the parser must know."""
    return Notes(
        stops=chat.stop,
        logprobs=chat.logprobs,
        model=model.canonical_id,
        wire_id=options.wire_id,
        prompt=chat,
    )


def encoded(body: Json) -> bytes:
    return dump(without_surrogates(body))


def _max_output(chat: Chat, model: Model, dialect: Dialect) -> int | None:
    if not dialect.places("max_tokens") or not flag(model, "supportsMaxOutputTokens", default=True):
        return None
    return budget.output_cap(chat.max_tokens, model, always=False, floor=MIN_OUTPUT)


def _takes_effort(model: Model) -> bool:
    return model.reasoning and flag(model, "supportsReasoningEffort", default=True)


def _reasoning(chat: Chat, model: Model) -> Json:
    """Nothing unless the client asks: the provider's default applies (decision 3 of the design)."""
    level = thinking.wanted(model, chat.reasoning_effort)
    if level is None or not _takes_effort(model):
        return None
    if level == "off":
        if model.provider == "github-copilot":
            return None
        return {"effort": model.thinking_level_map.get("off") or "none"}
    return {"effort": thinking.value(model, level), "summary": "auto"}


def _include(chat: Chat, model: Model) -> list[str]:
    """Reasoning comes back encrypted, so that it can be given again; xAI wants it even without thinking."""
    wanted: list[str] = []
    thinks = thinking.wanted(model, chat.reasoning_effort) != "off"
    if model.reasoning and (thinks or model.provider == "xai"):
        wanted.append(ENCRYPTED)
    if chat.logprobs:
        wanted.append(_LOGPROBS)
    return wanted


def _text(chat: Chat) -> dict[str, Json]:
    members = {"format": tools.text_format(chat.response_format), "verbosity": chat.verbosity}
    return {name: value for name, value in members.items() if value is not None}


def _our_retention(model: Model, options: Options) -> dict[str, Json]:
    """How long the prompt cache is asked to live, where the client does not say it."""
    long = options.cache == "long" and flag(model, "supportsLongCacheRetention", default=True)
    if not flag(model, "supportsExplicitPromptCacheMode", default=False):
        return {"prompt_cache_retention": "24h"} if long else {}
    if options.cache == "none":
        return {"prompt_cache_options": {"mode": "explicit"}}
    return {"prompt_cache_options": {"ttl": "30m"}} if long else {}


def _sampling(chat: Chat, model: Model, dialect: Dialect) -> dict[str, Json]:
    """The model's own sampling settings (pi-on-disk, ``samplingParams``); what the client says wins over them."""
    level = thinking.wanted(model, chat.reasoning_effort)
    by_level = model.sampling_params_by_level.get(level, {}) if level else {}
    return {name: value for name, value in {**model.sampling_params, **by_level}.items() if dialect.places(name)}
