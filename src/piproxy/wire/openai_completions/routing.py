"""Headers that steer a request: session affinity, Copilot's, opencode's (wire reference, 2.2, 3.6 and 8.1)."""

from __future__ import annotations

from piproxy import headers, transcript
from piproxy.chat import Chat, UserMessage
from piproxy.model import Model
from piproxy.wire.openai_completions.compat import Compat
from piproxy.wire.room import Options


def request_headers(chat: Chat, model: Model, compat: Compat, options: Options) -> dict[str, str | None]:
    """All header layers that the room knows, merged; later ones win."""
    return headers.layered(
        {"Accept": "application/json", "Content-Type": "application/json"},
        model.headers,
        _copilot(chat) if model.provider == "github-copilot" else {},
        _affinity(compat, options),
        _opencode(compat, options),
    )


def _copilot(chat: Chat) -> dict[str, str]:
    """Who starts the turn decides what Copilot bills."""
    last = chat.messages[-1] if chat.messages else None
    found = {
        "X-Initiator": "user" if last is None or isinstance(last, UserMessage) else "agent",
        "Openai-Intent": "conversation-edits",
    }
    if transcript.has_images(chat.messages):
        found["Copilot-Vision-Request"] = "true"
    return found


def _affinity(compat: Compat, options: Options) -> dict[str, str]:
    session = options.session_id
    if not session or not compat.sendSessionAffinityHeaders or options.cache == "none":
        return {}
    if compat.sessionAffinityFormat == "openrouter":
        return {"x-session-id": session}
    found = {"x-client-request-id": session, "x-session-affinity": session}
    return found if compat.sessionAffinityFormat == "openai-nosession" else {"session_id": session, **found}


def _opencode(compat: Compat, options: Options) -> dict[str, str]:
    if options.session_id and compat.has("opencode", "opencode-go"):
        return {"x-opencode-session": options.session_id}
    return {}
