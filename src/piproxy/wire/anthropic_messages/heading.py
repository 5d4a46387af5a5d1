"""URL, headers and betas (wire-native-apis.md, 2.1 to 2.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from piproxy import headers, transcript
from piproxy.chat import Chat, UserMessage
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.anthropic_messages import identity
from piproxy.wire.anthropic_messages.compat import Compat
from piproxy.wire.room import AuthScheme, Options

VERSION: Final = "2023-06-01"
"""All compatible endpoints speak it, and ``temperature`` exists in it; a header of the model's entry overrides it."""
BETA: Final = "anthropic-beta"

_PLACEHOLDER: Final = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")


def url(model: Model, options: Options) -> str:
    """``<base>/v1/messages?beta=true``; ``{NAME}`` in the base is filled from the provider's variables."""
    parts = urlsplit(_PLACEHOLDER.sub(lambda found: _variable(found[1], options), model.base_url))
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("beta", "true")])
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/v1/messages", query, ""))


def auth(options: Options, compat: Compat) -> AuthScheme:
    """Where the key goes: subscriptions and Copilot want a bearer token."""
    return "bearer" if identity.speaks(options) or compat.kind == "copilot" else "x-api-key"


def heading(
    chat: Chat, model: Model, options: Options, compat: Compat, betas: Sequence[str]
) -> Mapping[str, str | None]:
    """The room's headers, merged. ``anthropic-beta`` in the model's entry replaces all ``betas``; empty sends none."""
    base: dict[str, str | None] = {
        "anthropic-version": VERSION,
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-dangerous-direct-browser-access": "true",
    }
    claude_code = identity.speaks(options)
    automatic = ",".join(dict.fromkeys((*(identity.BETAS if claude_code else ()), *betas)))
    affinity: dict[str, str | None] = {}
    if compat.affinity_header and options.session_id and options.cache != "none" and not claude_code:
        affinity[compat.affinity_header] = options.session_id
    return headers.layered(
        base,
        {BETA: automatic} if automatic else {},
        identity.headers(options) if claude_code else affinity,
        model.headers,
        _own_betas(model),
        _copilot(chat) if compat.kind == "copilot" else {},
    )


def _own_betas(model: Model) -> dict[str, str | None]:
    """The entry's betas without repetition; ``None`` when the entry wants none."""
    given = headers.get(model.headers, BETA)
    if given is None:
        return {}
    betas = dict.fromkeys(filter(None, (beta.strip() for beta in given.split(","))))
    return {BETA: ",".join(betas) or None}


def _copilot(chat: Chat) -> dict[str, str | None]:
    """Copilot bills by who began, and must be told of images."""
    began = "user" if chat.messages and isinstance(chat.messages[-1], UserMessage) else "agent"
    dynamic: dict[str, str | None] = {"X-Initiator": began, "Openai-Intent": "conversation-edits"}
    if transcript.has_images(chat.messages):
        dynamic["Copilot-Vision-Request"] = "true"
    return dynamic


def _variable(name: str, options: Options) -> str:
    value = options.env.get(name)
    if not value:
        raise CredentialError(f"The provider's address needs {name}; set this variable.")
    return value
