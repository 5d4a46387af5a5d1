"""Chat -> one request to ChatGPT's ``/codex/responses`` (wire reference, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from piproxy.chat import Chat
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.transcript import joined, leading_system, with_a_question
from piproxy.wire.openai_responses import address
from piproxy.wire.openai_responses.dialect import CHATGPT_NO_PLACE, NO_PLACE, Dialect
from piproxy.wire.openai_responses.request import ENCRYPTED, common_body, dropped, encoded, notes
from piproxy.wire.room import Options, WireRequest

_CODEX: Final = Dialect(
    no_place=NO_PLACE
    | CHATGPT_NO_PLACE
    | {"max_output_tokens", "user", "safety_identifier", "metadata", "store", "service_tier"},
    logprobs=False,
    strict_mode=True,
    unasked_strict=None,
    cache_options=False,
    extra=False,
)
_IDENTITY: Final[Mapping[str, str | None]] = {
    "accept": "text/event-stream",
    "originator": "pi",
    "user-agent": "pi/1.5.2 (piproxy)",  # the login is pi's
    "openai-beta": "responses=experimental",
}
_BASE_URL: Final = "https://chatgpt.com/backend-api"
_INSTRUCTIONS: Final = "You are a helpful assistant."
"""The backend refuses a request without any (pi's words)."""


def build_request(chat: Chat, model: Model, options: Options) -> WireRequest:
    """Raises :class:`~piproxy.errors.UnsupportedParameter` for what the API cannot do."""
    system, rest = leading_system(with_a_question(chat.messages))
    body: dict[str, Json] = {"tool_choice": "auto", "parallel_tool_calls": True}
    body |= common_body(chat, model, options, _CODEX, messages=rest)
    body["store"] = False
    body["instructions"] = "\n\n".join(joined(message.content) for message in system) or _INSTRUCTIONS
    body["text"] = {"verbosity": "low"} | body.get("text", {})
    body["include"] = [ENCRYPTED]
    return WireRequest(
        url=_url(model.base_url, options.env),
        body=encoded(body),
        headers=address.headers(chat, model, options, identity=_IDENTITY),
        dropped=dropped(chat, model, _CODEX),
        notes=notes(chat, model, options),
    )


def _url(base_url: str, env: Mapping[str, str]) -> str:
    """The base may already name ``/codex`` or the whole path."""
    base = base_url.rstrip("/") or _BASE_URL
    for ending, path in (("/codex/responses", ""), ("/codex", "/responses")):
        if base.endswith(ending):
            return address.endpoint(base, path, env)
    return address.endpoint(base, "/codex/responses", env)
