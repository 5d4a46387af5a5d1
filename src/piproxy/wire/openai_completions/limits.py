"""Fields that a provider is documented to refuse, or that only OpenAI has (wire reference, 3.10 and 12).

Such a field is left out and named to the client, or refused (:func:`piproxy.wire.room.refuse`); whatever stands in no
table here is forwarded, and the provider's own 400 tells the client what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from piproxy.model import Model
from piproxy.wire.openai_completions.compat import Compat


@dataclass(frozen=True, slots=True)
class Limit:
    """A provider answers 400 to these fields."""

    vendor: str
    fields: tuple[str, ...]
    ids: tuple[str, ...] = ()
    """Only models whose id begins with one of these."""
    reasoning: bool = False
    """Only reasoning models."""


LIMITS: Final = (
    Limit("groq", ("logprobs", "top_logprobs", "logit_bias", "messages.name", "top_k", "min_p")),
    Limit("cerebras", ("frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls", "service_tier")),
    Limit("moonshot", ("temperature", "top_p", "frequency_penalty", "presence_penalty"), ids=("kimi-",)),
    Limit("xai", ("stop", "frequency_penalty", "presence_penalty"), reasoning=True),
)
OPENAI_ONLY: Final = frozenset(
    (
        "metadata",
        "prediction",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "verbosity",
        "web_search_options",
    )
)
"""Not sent to providers with a dialect of their own; OpenAI, OpenRouter and unknown hosts get them."""
NOT_OPENAI: Final = frozenset(("top_k", "min_p"))
"""OpenAI and Azure answer 400 to these."""


def refused(model: Model, compat: Compat) -> frozenset[str]:
    """Request fields, by the client's names, that must not be sent to this model."""
    names = {
        name
        for limit in LIMITS
        if compat.has(limit.vendor)
        and (not limit.ids or model.id.startswith(limit.ids))
        and (not limit.reasoning or model.reasoning)
        for name in limit.fields
    }
    if compat.host == "openai":
        names |= NOT_OPENAI
    if compat.host == "known":
        names |= OPENAI_ONLY
    return frozenset(names)
