"""What differs between OpenAI, Azure and Codex, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from piproxy.chat import Audio, Chat
from piproxy.errors import UnsupportedParameter
from piproxy.model import Model
from piproxy.wire.room import UNANSWERABLE, refuse

NO_PLACE: Final = frozenset(
    ("seed", "frequency_penalty", "presence_penalty", "prediction", "top_k", "min_p", "cache_control")
)
"""Request fields that no Responses API knows (wire reference, 12)."""
CHATGPT_NO_PLACE: Final = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "prompt_cache_retention",
        "prompt_cache_options",
    )
)
"""What a "Sign in with ChatGPT" token refuses besides (wire reference, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One variant of the API."""

    no_place: frozenset[str] = NO_PLACE
    """Client fields that are skipped and named."""
    logprobs: bool = True
    strict_mode: bool = False
    """Default of the compat flag ``supportsStrictMode``."""
    unasked_strict: bool | None = False
    """``strict`` of a tool whose author said nothing; left to itself, the API would make it strict."""
    cache_options: bool = True
    """Retention settings of our own may be sent."""
    extra: bool = True
    """Unknown fields may be forwarded (``strictness: pass``)."""

    def places(self, name: str) -> bool:
        """Whether the API has a place for the client's field ``name``."""
        return name not in self.no_place


def flag(model: Model, name: str, *, default: bool) -> bool:
    """One boolean of the model's ``compat``."""
    value = model.compat.get(name)
    return value if isinstance(value, bool) else default


def refuse_impossible(chat: Chat, dialect: Dialect) -> None:
    """Raises :class:`UnsupportedParameter` for what would change the answer, if it were skipped."""
    refuse(chat, ("logit_bias", "web_search_options") if dialect.logprobs else UNANSWERABLE)
    for at, message in enumerate(chat.messages):
        if not isinstance(message.content, tuple):
            continue
        for number, part in enumerate(message.content):
            if isinstance(part, Audio):
                raise UnsupportedParameter(
                    "Audio input is not supported by this model's API.", param=f"messages[{at}].content[{number}]"
                )
