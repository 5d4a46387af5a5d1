"""URL, authentication, headers and betas on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.claude import CLAUDE_CODE, COPILOT, FABLE, FIREWORKS, OTHER, SONNET_45, chat, request

from piproxy.chat import AssistantMessage, Image, Message, ToolCall, ToolMessage, UserMessage
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.room import Options

SESSION = Options(session_id="s1")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages?beta=true"),
        ("https://x.example/anthropic/", "https://x.example/anthropic/v1/messages?beta=true"),
        ("https://x.example/a?tenant=7&k=", "https://x.example/a/v1/messages?tenant=7&k=&beta=true"),
        ("http://127.0.0.1:9/{CLOUDFLARE_ACCOUNT_ID}/g", "http://127.0.0.1:9/acc/g/v1/messages?beta=true"),
    ],
)
def test_url(base: str, url: str) -> None:
    """The path is appended to the base, a query stays behind it, and placeholders are filled."""
    options = Options(env={"CLOUDFLARE_ACCOUNT_ID": "acc"})
    assert request(chat(), replace(OTHER, base_url=base), options).url == url


def test_a_missing_variable() -> None:
    """The message names what is to be set."""
    with pytest.raises(CredentialError, match="CLOUDFLARE_GATEWAY_ID"):
        request(chat(), replace(OTHER, base_url="https://x.example/{CLOUDFLARE_GATEWAY_ID}"))


def test_authentication() -> None:
    """A key goes into its own header; subscriptions and Copilot want a bearer token."""
    assert request(chat()).auth == "x-api-key"
    assert request(chat(), options=CLAUDE_CODE).auth == "bearer"
    assert request(chat(), COPILOT).auth == "bearer"


def test_plain_headers() -> None:
    """What every request has; no key is among it."""
    assert request(chat()).headers == {
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-dangerous-direct-browser-access": "true",
    }


def test_claude_code_headers() -> None:
    """A subscription speaks as Claude Code, in a version that can be set."""
    headers = request(chat(reasoning_effort="low"), options=CLAUDE_CODE).headers
    assert headers["anthropic-beta"] == "claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14"
    assert (headers["user-agent"], headers["x-app"]) == ("claude-cli/2.1.322", "cli")
    newer = Options(identity="claude_code", env={"PIPROXY_CLAUDE_CODE_VERSION": "9.9.9"})
    assert request(chat(), options=newer).headers["user-agent"] == "claude-cli/9.9.9"


@pytest.mark.parametrize(
    ("configured", "sent"), [("a, b,a ,", "a,b"), ("context-1m-2025-08-07", "context-1m-2025-08-07"), (" ", None)]
)
def test_configured_betas_replace_all(configured: str, sent: str | None) -> None:
    """``anthropic-beta`` in the model's entry takes the place of every automatic one."""
    model = replace(SONNET_45, headers={"Anthropic-Beta": configured, "X-Own": "1"})
    headers = request(chat(reasoning_effort="low"), model, CLAUDE_CODE).headers
    assert [value for name, value in headers.items() if name.lower() == "anthropic-beta"] == [sent]
    assert headers["X-Own"] == "1"


def test_fallback_models() -> None:
    """A model with fallbacks names them, with the beta that allows it."""
    wire = request(chat(), FABLE)
    assert wire.headers["anthropic-beta"] == "server-side-fallback-2026-07-01"
    assert b'"fallbacks":[{"model":"claude-opus-5"}]' in wire.body


@pytest.mark.parametrize(
    ("model", "header"),
    [
        (FIREWORKS, "x-session-affinity"),
        (replace(OTHER, provider="openrouter"), "x-session-id"),
        (replace(OTHER, base_url="https://openrouter.ai/api"), "x-session-id"),
        (replace(OTHER, compat={"sendSessionAffinityHeaders": True}), "x-session-affinity"),
        (
            replace(OTHER, compat={"sendSessionAffinityHeaders": True, "sessionAffinityFormat": "openrouter"}),
            "x-session-id",
        ),
        (replace(OTHER, provider="opencode"), "x-opencode-session"),
        (replace(OTHER, provider="opencode-go"), "x-opencode-session"),
    ],
)
def test_affinity(model: Model, header: str) -> None:
    """A conversation stays on one machine where the endpoint has a header for it and caching is on."""
    assert request(chat(), model, SESSION).headers[header] == "s1"
    assert header not in request(chat(), model, Options()).headers
    assert header not in request(chat(), model, replace(SESSION, cache="none")).headers


def test_no_affinity_elsewhere() -> None:
    """Endpoints that do not ask for it get no session id."""
    for model in (SONNET_45, OTHER, COPILOT):
        assert "s1" not in request(chat(), model, SESSION).headers.values()


CALL = AssistantMessage(None, (ToolCall("t", "f", ""),))


@pytest.mark.parametrize(
    ("messages", "began", "sees"),
    [
        ((UserMessage("q"),), "user", False),
        ((UserMessage("q"), CALL, ToolMessage("1", "t")), "agent", False),
        ((UserMessage((Image("data:image/png;base64,AAAA"),)),), "user", True),
        ((UserMessage("q"), CALL, ToolMessage((Image("data:image/png;base64,AAAA"),), "t")), "agent", True),
    ],
)
def test_copilot(messages: tuple[Message, ...], began: str, sees: bool) -> None:
    """Copilot is told who began the turn and whether there are images."""
    headers = request(chat(*messages), COPILOT).headers
    assert (headers["X-Initiator"], headers["Openai-Intent"]) == (began, "conversation-edits")
    assert ("Copilot-Vision-Request" in headers) is sees
    assert headers["User-Agent"] == "GitHubCopilotChat/0.35.0"
