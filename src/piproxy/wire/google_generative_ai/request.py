"""Chat -> ``streamGenerateContent`` (wire reference, 3.1 and 3.2)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from piproxy import functiontools, jsontext
from piproxy.budget import output_cap
from piproxy.chat import Chat
from piproxy.headers import layered
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.transcript import lost_names
from piproxy.wire.google_generative_ai.contents import conversation
from piproxy.wire.google_generative_ai.generation import is_gemini_3
from piproxy.wire.google_generative_ai.stream import Notes
from piproxy.wire.google_generative_ai.thinking import thinking_config
from piproxy.wire.google_generative_ai.tools import enum_for_const, tool_config, tools
from piproxy.wire.room import Options, WireRequest, refuse

STREAM: Final = ":streamGenerateContent?alt=sse"

_CARRIED: Final = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "service_tier",
    )
)
_TIERS: Final = {"flex": "flex", "priority": "priority", "default": "standard"}


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request. Raises :class:`ClientError` for what the API cannot do."""
    path = model.id if model.id.startswith(("models/", "tunedModels/")) else f"models/{model.id}"
    return wire_request(f"{model.base_url.rstrip('/')}/{quote(path, safe='/:@')}{STREAM}", chat, model, options)


def wire_request(url: str, chat: Chat, model: Model, options: Options) -> WireRequest:
    """The request to ``url``; Vertex takes the same body."""
    refuse(chat)
    body, dropped = _body(chat, model, options)
    affinity: dict[str, str | None] = {}
    if model.provider.startswith("opencode") and options.session_id:
        affinity["x-opencode-session"] = options.session_id
    return WireRequest(
        url=url,
        body=jsontext.dump(jsontext.without_surrogates(body)),
        headers=layered({"content-type": "application/json", "accept": "text/event-stream"}, model.headers, affinity),
        auth="x-goog-api-key",
        dropped=dropped,
        notes=Notes(options.wire_id, frozenset(tool.name for tool in chat.tools if tool.custom), chat),
    )


def _body(chat: Chat, model: Model, options: Options) -> tuple[dict[str, Json], tuple[str, ...]]:
    prompt, contents = conversation(chat, model, options.replay)
    generation, wish = _answer_form(chat, model)
    if wish:
        prompt = f"{prompt}\n\n{wish}" if prompt else wish
    generation.update(_sampling(chat, model))
    body: dict[str, Json] = {"contents": contents}
    if prompt:
        body["systemInstruction"] = {"parts": [{"text": prompt}], "role": "user"}
    if declarations := tools(chat):
        body["tools"] = declarations
    choice = tool_config(chat, validates=is_gemini_3(model))
    if choice:
        body["toolConfig"] = choice
    if generation:
        body["generationConfig"] = generation
    dropped = [name for name in (*chat.given, *chat.extra) if name not in _CARRIED]
    if chat.service_tier in _TIERS:
        body["serviceTier"] = _TIERS[chat.service_tier]
    elif chat.service_tier and "service_tier" in chat.given:
        dropped.append("service_tier")
    if any(tool.strict for tool in chat.tools) and (not choice or choice["functionCallingConfig"]["mode"] == "AUTO"):
        dropped.append("tools.strict")
    if not model.reasoning and chat.reasoning_effort != "none":
        dropped += [name for name in ("reasoning_effort", "reasoning") if name in chat.given]
    return body, (*dropped, *lost_names(chat.messages))


def _sampling(chat: Chat, model: Model) -> dict[str, Json]:
    """Penalties are left out: every current Gemini refuses them, whatever their value (wire reference, 3.3)."""
    cap = output_cap(chat.max_tokens, model, always=False)
    fields: dict[str, Json] = {
        "temperature": chat.temperature,
        "topP": chat.top_p,
        "topK": chat.top_k,
        "maxOutputTokens": cap,
        "stopSequences": list(chat.stop) or None,
        "seed": chat.seed,
        "thinkingConfig": thinking_config(model, chat.reasoning_effort, cap),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _answer_form(chat: Chat, model: Model) -> tuple[dict[str, Json], str]:
    """``response_format``, or words for it: before Gemini 3, JSON answers and tools exclude each other."""
    form = chat.response_format
    if form is None or form.kind == "text":
        return {}, ""
    if chat.tools and not is_gemini_3(model):
        return {}, functiontools.instruction(form)
    fields: dict[str, Json] = {"responseMimeType": "application/json"}
    if form.kind == "json_schema" and form.schema is not None:
        fields["responseJsonSchema"] = enum_for_const(form.schema)
    return fields, ""
