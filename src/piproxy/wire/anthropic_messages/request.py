"""A chat as a request of the Messages API (wire-native-apis.md, 2)."""

from __future__ import annotations

from typing import Final

from piproxy import budget, jsontext, transcript
from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.toolids import ANTHROPIC, IdMap
from piproxy.wire.anthropic_messages import cache, identity
from piproxy.wire.anthropic_messages.compat import Compat, compat_of
from piproxy.wire.anthropic_messages.heading import auth, heading, url
from piproxy.wire.anthropic_messages.messages import Turn, conversation
from piproxy.wire.anthropic_messages.notes import Notes
from piproxy.wire.anthropic_messages.parts import text_block
from piproxy.wire.anthropic_messages.thinking import sampling_for, thinking_for
from piproxy.wire.anthropic_messages.tools import Tooling, tooling_for
from piproxy.wire.room import Options, WireRequest, refuse

DEFAULT_CAP: Final = 4096
"""``max_tokens`` is required; this is for a model of unknown size."""
FALLBACK: Final = "server-side-fallback-2026-07-01"

_NO_PLACE: Final = frozenset(
    (
        "frequency_penalty",
        "min_p",
        "prediction",
        "presence_penalty",
        "prompt_cache_options",
        "seed",
        "store",
        "verbosity",
    )
)
"""Fields that the API has nothing for (wire-native-apis.md, 8)."""
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request. Raises :class:`~piproxy.errors.ClientError` for what the API cannot do."""
    refuse(chat)
    compat = compat_of(model)
    claude_code = identity.speaks(options)
    messages = transcript.repaired(chat.messages, takes_images=model.takes_images)
    ids = IdMap(ANTHROPIC, transcript.call_ids(messages))
    tool_names = [tool.name for tool in chat.tools]
    names = identity.ToolNames((*tool_names, *transcript.call_names(messages).values()), recase=claude_code)
    told = conversation(messages, model, compat, ids=ids, names=names, remembered=options.replay)
    tooling = tooling_for(chat, compat, names)
    cap = budget.output_cap(chat.max_tokens, model, chars=budget.prompt_chars(chat)) or DEFAULT_CAP
    thinking = thinking_for(
        chat,
        model,
        compat,
        cap,
        budget_allowed=not (tooling.forced or told.prefilled or told.loop_lost_its_thinking),
    )
    sampling, unsampled = sampling_for(chat, compat, thinks=thinking.on)
    if tooling.instruction:
        told.system.append(text_block(tooling.instruction))
    if claude_code:
        told.system.insert(0, text_block(identity.SYSTEM))
    cache.mark(chat, options, compat, told, tooling.body.get("tools", []))
    body: dict[str, Json] = {"model": model.id, "max_tokens": cap, "stream": True}
    if told.system:
        body["system"] = told.system
    body["messages"] = [_plain(turn) for turn in told.turns]
    body |= tooling.body | thinking.body | sampling | _output_config(tooling, thinking.effort)
    others, lost = _others(chat, compat)
    body |= others
    betas = (
        *(tooling.betas if "tools" in body else ()),
        *thinking.betas,
        *((FALLBACK,) if compat.fallbacks else ()),
    )
    return WireRequest(
        url=url(model, options),
        body=jsontext.dump(jsontext.without_surrogates(body)),
        headers=heading(chat, model, options, compat, betas),
        auth=auth(options, compat),
        dropped=tuple(
            dict.fromkeys(
                (*lost, *unsampled, *thinking.dropped, *tooling.dropped, *transcript.lost_names(chat.messages))
            )
        ),
        notes=Notes(
            model=model.canonical_id,
            client_names=names.to_client(tool_names),
            custom=frozenset(tool.name for tool in chat.tools if tool.custom),
            answer_tool=tooling.answer_tool,
            ids=ids,
            wire_id=options.wire_id,
            prompt=chat,
        ),
    )


def _plain(turn: Turn) -> Turn:
    """A user's turn of one unmarked text as a string, which every compatible endpoint takes."""
    match turn:
        case {"role": "user", "content": [{"type": "text", "text": text, **rest}]} if not rest:
            return {"role": "user", "content": text}
        case _:
            return turn


def _output_config(tooling: Tooling, effort: str | None) -> dict[str, Json]:
    config: dict[str, Json] = {}
    if effort is not None:
        config["effort"] = effort
    if tooling.output_format is not None:
        config["format"] = tooling.output_format
    return {"output_config": config} if config else {}


def _others(chat: Chat, compat: Compat) -> tuple[dict[str, Json], list[str]]:
    """Stop sequences, user id, service tier and fallbacks; and the client's fields that have no place."""
    body: dict[str, Json] = {}
    lost = [name for name in (*chat.given, *chat.extra) if name in _NO_PLACE or name in chat.extra]
    stops = [stop for stop in chat.stop if stop.strip()]
    if stops:
        body["stop_sequences"] = stops
    if len(stops) < len(chat.stop):
        lost.append("stop")  # Anthropic refuses stop sequences of white space
    metadata = chat.metadata or {}
    user = chat.safety_identifier or chat.user or metadata.get("user_id")
    if isinstance(user, str):
        body["metadata"] = {"user_id": user}
    if metadata.keys() - {"user_id"}:
        lost.append("metadata")
    if chat.service_tier is not None:
        tier = _TIERS.get(chat.service_tier)
        if tier is None:
            lost.append("service_tier")
        elif tier != "auto":
            body["service_tier"] = tier
    if chat.prompt_cache_key is not None and not compat.affinity_header:
        lost.append("prompt_cache_key")
    if compat.fallbacks:
        body["fallbacks"] = [{"model": name} for name in compat.fallbacks]
    return body, lost
