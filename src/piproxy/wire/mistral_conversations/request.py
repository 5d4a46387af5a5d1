"""Chat -> one request to Mistral's ``/v1/chat/completions`` (wire reference, 7.1 and 7.4).

Mistral answers 422 to every field that it does not know, so the body has nothing but what is listed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from piproxy import budget, thinking
from piproxy.chat import Chat, ResponseFormat, Tool
from piproxy.errors import UnsupportedParameter
from piproxy.headers import get, layered
from piproxy.jsontext import Json, dump, without_surrogates
from piproxy.model import Model
from piproxy.transcript import lost_names
from piproxy.wire.mistral_conversations.messages import wire_messages
from piproxy.wire.mistral_conversations.notes import Notes
from piproxy.wire.room import Options, WireRequest, refuse

_PLAIN: Final[Mapping[str, str | None]] = {"accept": "text/event-stream", "content-type": "application/json"}
_NO_PLACE: Final = frozenset(
    (
        "verbosity",
        "user",
        "safety_identifier",
        "store",
        "prompt_cache_retention",
        "prompt_cache_options",
        "top_k",
        "min_p",
        "cache_control",
    )
)
_SAMPLING: Final = frozenset(
    ("temperature", "top_p", "max_tokens", "stop", "random_seed", "presence_penalty", "frequency_penalty")
)
_TIERS: Final = ("auto", "standard_only")
"""Mistral's values of ``service_tier``; OpenAI's ``flex`` and ``priority`` are no values there."""
_OWN: Final = frozenset(("safe_prompt", "prompt_mode", "guardrails", "random_seed"))
"""Fields of Mistral's own that a client may send under ``strictness: pass``."""


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """Raises :class:`~piproxy.errors.UnsupportedParameter` for what the API cannot do."""
    refuse(chat)
    _refuse_custom(chat)
    session = options.session_id if options.cache != "none" and options.session_id else None
    choice, tools = _tools(chat)
    members: dict[str, Json] = {
        "model": model.id,
        "stream": True,
        "messages": wire_messages(chat.messages, model),
        "tools": [_function(tool) for tool in tools] or None,
        "tool_choice": choice,
        "parallel_tool_calls": chat.parallel_tool_calls,
        "max_tokens": budget.output_cap(chat.max_tokens, model, always=False),
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "stop": list(chat.stop) or None,
        "random_seed": chat.seed,
        "presence_penalty": chat.presence_penalty,
        "frequency_penalty": chat.frequency_penalty,
        "response_format": _format(chat.response_format),
        "metadata": chat.metadata,
        "prediction": chat.prediction,
        "service_tier": chat.service_tier if chat.service_tier in _TIERS else None,
        "prompt_cache_key": chat.prompt_cache_key or session,
    }
    said = {name: value for name, value in members.items() if value is not None} | _reasoning(chat, model)
    own = {name: value for name, value in chat.extra.items() if name in _OWN}
    return WireRequest(
        url=_url(model.base_url),
        body=dump(without_surrogates(_sampling(chat, model) | own | said)),
        headers=_headers(model, session),
        dropped=_dropped(chat, model),
        notes=Notes(wire_id=options.wire_id, prompt=chat),
    )


def _refuse_custom(chat: Chat) -> None:
    for at, tool in enumerate(chat.tools):
        if tool.custom:
            raise UnsupportedParameter(
                "Custom tools are not supported by Mistral's API.",
                advice="Declare a function tool instead.",
                param=f"tools[{at}]",
            )


def _tools(chat: Chat) -> tuple[Json, tuple[Tool, ...]]:
    """The choice, and the tools that it leaves: Mistral has no ``allowed_tools``."""
    choice = chat.tool_choice
    if choice is None:
        return None, chat.tools
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.names[0]}}, chat.tools
    if not choice.names:
        return choice.mode, chat.tools
    return choice.mode, tuple(tool for tool in chat.tools if tool.name in choice.names)


def _function(tool: Tool) -> Json:
    members = {
        "name": tool.name,
        "description": tool.description,
        "parameters": {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": {name: value for name, value in members.items() if value is not None}}


def _format(wanted: ResponseFormat | None) -> Json:
    if wanted is None or wanted.kind == "text":
        return None
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    members = {
        "name": wanted.name or "response",
        "description": wanted.description,
        "schema": {} if wanted.schema is None else wanted.schema,
        "strict": wanted.strict,
    }
    return {
        "type": "json_schema",
        "json_schema": {name: value for name, value in members.items() if value is not None},
    }


def _reasoning(chat: Chat, model: Model) -> dict[str, Json]:
    """Models with a level map take ``reasoning_effort``, the older ones only a mode of the prompt."""
    level = thinking.wanted(model, chat.reasoning_effort)
    if level is None or not model.reasoning:
        return {}
    if not model.thinking_level_map:
        return {} if level == "off" else {"prompt_mode": "reasoning"}
    value = model.thinking_level_map.get(level)
    if level == "off":
        return {} if value is None else {"reasoning_effort": value}
    return {"reasoning_effort": value or "high"}


def _sampling(chat: Chat, model: Model) -> dict[str, Json]:
    """The model's own sampling settings; what the client says wins over them."""
    level = thinking.wanted(model, chat.reasoning_effort)
    by_level = model.sampling_params_by_level.get(level, {}) if level else {}
    return {name: value for name, value in {**model.sampling_params, **by_level}.items() if name in _SAMPLING}


def _headers(model: Model, session: str | None) -> dict[str, str | None]:
    affinity: dict[str, str | None] = {}
    if session and get(model.headers, "x-affinity") is None:
        plain = session.isascii() and session.isprintable() and session.strip() == session and len(session) <= 256
        hashed = hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        affinity["x-affinity"] = session if plain else hashed
    return layered(_PLAIN, model.headers, affinity)


def _dropped(chat: Chat, model: Model) -> tuple[str, ...]:
    missing = set(_NO_PLACE)
    if not chat.store:
        missing.discard("store")
    if not model.reasoning and chat.reasoning_effort not in (None, "none"):
        missing |= {"reasoning_effort", "reasoning"}
    if chat.service_tier not in _TIERS:
        missing.add("service_tier")
    unknown = (name for name in chat.extra if name not in _OWN)
    return (*(name for name in chat.given if name in missing), *unknown, *lost_names(chat.messages))


def _url(base_url: str) -> str:
    """pi's base has no version; one that somebody wrote is not doubled."""
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/").removesuffix("/v1")
    return urlunsplit(parts._replace(path=f"{path}/v1/chat/completions"))
