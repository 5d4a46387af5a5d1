"""The objects of ``GET /v1/models`` and ``GET /v1/models/{id}``."""

from __future__ import annotations

from collections.abc import Iterable

from piproxy.jsontext import Json
from piproxy.model import Model


def model_object(public_id: str, model: Model, *, created: int, details: bool = False) -> dict[str, Json]:
    """OpenAI's four fields; ``created`` is in Unix seconds.

    ``details`` adds what clients elsewhere look for (names as OpenRouter has them): ``name``, ``context_length``,
    ``max_output_tokens``, ``reasoning``, ``architecture`` and ``pricing`` in US dollars per token, as strings.
    """
    made: dict[str, Json] = {"id": public_id, "object": "model", "created": created, "owned_by": model.provider}
    if details:
        made |= {
            "name": model.name or model.id,
            "context_length": model.context_window,
            "max_output_tokens": model.max_tokens,
            "reasoning": model.reasoning,
            "architecture": {"input_modalities": list(model.input), "output_modalities": ["text"]},
            "pricing": {
                "prompt": _per_token(model.cost.input),
                "completion": _per_token(model.cost.output),
                "input_cache_read": _per_token(model.cost.cache_read),
                "input_cache_write": _per_token(model.cost.cache_write),
            },
        }
    return made


def model_list(objects: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """The whole answer of ``GET /v1/models``."""
    return {"object": "list", "data": list(objects)}


def _per_token(per_million: float) -> str:
    """Dollars per million tokens as a plain decimal per token, without an exponent or trailing zeros."""
    text = f"{per_million / 1_000_000:.12f}".rstrip("0").rstrip(".")
    return text or "0"
