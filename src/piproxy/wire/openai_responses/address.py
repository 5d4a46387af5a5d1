"""Where a request goes and which headers its conversation adds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from piproxy.chat import Chat, UserMessage
from piproxy.headers import layered
from piproxy.model import Model
from piproxy.transcript import has_images
from piproxy.wire.room import Options

_PLACEHOLDER: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_PLAIN: Final[Mapping[str, str | None]] = {"accept": "application/json", "content-type": "application/json"}
_MAX_KEY: Final = 64
"""Characters of ``prompt_cache_key``."""


def endpoint(base_url: str, path: str, env: Mapping[str, str]) -> str:
    """``base_url`` + ``path``; a query stays behind it, and ``{CLOUDFLARE_ACCOUNT_ID}`` and the like are filled in."""
    filled = _PLACEHOLDER.sub(lambda found: env.get(found[1]) or found[0], base_url)
    parts = urlsplit(filled)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def session(options: Options) -> str | None:
    """The id of the conversation; ``None`` when nothing may be cached."""
    return options.session_id if options.cache != "none" and options.session_id else None


def cache_key(chat: Chat, model: Model, options: Options) -> str | None:
    """The client's own ``prompt_cache_key``, else the id of the conversation, as long as the API takes it."""
    if chat.prompt_cache_key:
        return chat.prompt_cache_key
    if model.compat.get("promptCacheKeyMode") == "disabled":
        return None
    key = session(options)
    return key[:_MAX_KEY] if key else None


def headers(
    chat: Chat, model: Model, options: Options, *, identity: Mapping[str, str | None] = MappingProxyType({})
) -> dict[str, str | None]:
    """The room's layers: plain, identity, catalog, Copilot, affinity (wire reference, 2.2); Azure has no affinity."""
    return layered(_PLAIN, identity, model.headers, _copilot(chat, model), _affinity(model, options))


def header_id(id_: str) -> str:
    """An id that a header can hold: itself, or a hash of it."""
    if id_.isascii() and id_.isprintable() and id_.strip() == id_ and len(id_) <= 256:
        return id_
    return hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _affinity(model: Model, options: Options) -> dict[str, str | None]:
    if not options.session_id:
        return {}
    id_ = header_id(options.session_id)
    added: dict[str, str | None] = {}
    if model.provider in ("opencode", "opencode-go"):  # its routing needs it, cache or not
        added["x-opencode-session"] = id_
    if session(options) is None or model.api == "azure-openai-responses":
        return added
    kind = model.compat.get("sessionAffinityFormat") or _affinity_format(model)
    if kind == "openrouter":
        added["x-session-id"] = id_
    else:
        added["x-client-request-id"] = id_
        if kind == "openai":
            added["session-id"] = id_
    return added


def _affinity_format(model: Model) -> str:
    return "openrouter" if model.provider == "openrouter" or "openrouter.ai" in model.base_url else "openai"


def _copilot(chat: Chat, model: Model) -> dict[str, str | None]:
    """Who asks decides what GitHub bills (wire reference, 8.1)."""
    if model.provider != "github-copilot":
        return {}
    by_user = bool(chat.messages) and isinstance(chat.messages[-1], UserMessage)
    added: dict[str, str | None] = {
        "X-Initiator": "user" if by_user else "agent",
        "Openai-Intent": "conversation-edits",
    }
    if model.takes_images and has_images(chat.messages):
        added["Copilot-Vision-Request"] = "true"
    return added
