"""An image by address, in every room: passed on where the provider fetches it, else asked for inline."""

from __future__ import annotations

import pytest

from piproxy.chat import Chat, Image, Text, UserMessage
from piproxy.errors import NeedsInlineImages
from piproxy.model import Model
from piproxy.wire.room import Options
from piproxy.wire.rooms import ROOMS, room_for

URL = "https://images.test/a.png"
ENV = {
    "AWS_REGION": "us-east-1",
    "AZURE_OPENAI_BASE_URL": "https://resource.openai.azure.com/openai/v1",
    "GOOGLE_CLOUD_LOCATION": "us-central1",
    "GOOGLE_CLOUD_PROJECT": "project",
}
PASSED_ON = {
    "openai-completions": ("openai", "https://api.openai.com/v1"),
    "openai-responses": ("openai", "https://api.openai.com/v1"),
    "azure-openai-responses": ("azure-openai-responses", "https://resource.openai.azure.com/openai/v1"),
    "openai-codex-responses": ("openai-codex", "https://chatgpt.com/backend-api"),
    "mistral-conversations": ("mistral", "https://api.mistral.ai"),
    "anthropic-messages": ("anthropic", "https://api.anthropic.com"),
}
ASKED_FOR = {
    "openai-completions": ("moonshotai", "https://api.moonshot.ai/v1"),
    "openai-responses": ("github-copilot", "https://api.individual.githubcopilot.com"),
    "anthropic-messages": ("minimax", "https://api.minimax.io/anthropic"),
    "google-generative-ai": ("google", "https://generativelanguage.googleapis.com/v1beta"),
    "google-vertex": ("google-vertex", "https://{location}-aiplatform.googleapis.com"),
    "bedrock-converse-stream": ("amazon-bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
    "pi-messages": ("radius", "https://radius.example"),
}


def _build(api: str, provider: str, url: str, *, image: bool = True) -> bytes:
    chat = Chat(model="m", messages=(UserMessage((Text("What is it?"), Image(URL))),))
    kinds = ("text", "image") if image else ("text",)
    model = Model(provider=provider, id="m", api=api, base_url=url, input=kinds)
    return room_for(api).build_request(chat, model, Options(env=ENV, wire_id="w")).body


def test_every_room_has_an_answer() -> None:
    """A new room says what it does with addresses; the demo provider has no eyes."""
    assert set(PASSED_ON) | set(ASKED_FOR) | {"demo"} == set(ROOMS)


@pytest.mark.parametrize("api", PASSED_ON)
def test_addresses_are_passed_on(api: str) -> None:
    """As the client wrote them."""
    assert URL.encode() in _build(api, *PASSED_ON[api])


@pytest.mark.parametrize("api", ASKED_FOR)
def test_data_is_asked_for(api: str) -> None:
    """By an error that whoever can fetch images answers by building again."""
    with pytest.raises(NeedsInlineImages):
        _build(api, *ASKED_FOR[api])


@pytest.mark.parametrize("api", ASKED_FOR)
def test_nothing_is_fetched_for_a_model_without_eyes(api: str) -> None:
    """Its provider would only refuse the image."""
    assert URL.encode() not in _build(api, *ASKED_FOR[api], image=False)
