"""Bodies of real clients (``tests/openai/clients``) through the served app to every room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from fakes.answers import WIRES, Said, models_json
from fakes.gateway import gateway
from fakes.sdk import saying
from trio.testing import MockClock

BODIES: Final = sorted((Path(__file__).parents[1] / "openai" / "clients").glob("*.json"))

ALL_FIELDS, FILES = "openai-python-all-newer-fields", "vercel-gateway-files"
_RESPONSES: Final = {ALL_FIELDS: "logit_bias", FILES: "messages[0].content[2]"}
REFUSED: Final[dict[str, dict[str, str]]] = {
    "openai-responses": _RESPONSES,
    "azure-openai-responses": _RESPONSES,
    "openai-codex-responses": _RESPONSES,
    "mistral-conversations": {ALL_FIELDS: "logit_bias", "openai-python-custom-tool": "tools[0]"},
    "anthropic-messages": {ALL_FIELDS: "logit_bias", FILES: "messages[0].content[2]"},
    "google-generative-ai": {ALL_FIELDS: "logit_bias"},
    "google-vertex": {ALL_FIELDS: "logit_bias"},
    "bedrock-converse-stream": {ALL_FIELDS: "logit_bias"},
    "pi-messages": {
        ALL_FIELDS: "logit_bias",
        FILES: "messages[0].content[1]",
        "langchain-image-and-file": "messages[0].content[2]",
    },
}
"""What an API cannot do: a bias for tokens, audio, files, free-text tools. Everything else is answered."""


@pytest.mark.parametrize("api", list(WIRES))
async def test_every_client_is_answered(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """With an answer; or, where the API cannot do what was asked, with a refusal that names it."""
    refused: dict[str, str] = {}
    async with gateway(tmp_path, saying(Said(text=["ok"])), models=models_json()) as g:
        client = g.client()
        for path in BODIES:
            body: dict[str, Any] = {**json.loads(path.read_bytes()), "model": f"p-{api}/m"}
            reply = await client.ask("POST", "/v1/chat/completions", body)
            if reply.status == 200:
                continue
            error = reply.json["error"]
            assert reply.status in (400, 422), (path.stem, error)
            assert error["type"] == "invalid_request_error"
            refused[path.stem] = error["param"]
        await client.leave()
    assert refused == REFUSED.get(api, {})
