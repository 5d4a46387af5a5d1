from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.completions import OPENAI, body, chat, model

from piproxy.chat import AssistantMessage, Chat, SystemMessage, Text, Tool, UserMessage
from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.wire.openai_completions.request import build_request
from piproxy.wire.room import Options

EPHEMERAL = {"type": "ephemeral"}
CLAUDE = model("openrouter", "https://openrouter.ai/api/v1", id="anthropic/claude-x")
TOOLS = (Tool("f"), Tool("g"))
TALK = (SystemMessage("s"), UserMessage("u"), AssistantMessage("a"), UserMessage((Text("v"), Text("w"))))


def marks(value: Json, path: str = "") -> dict[str, Json]:
    """Every mark in a body, by its place."""
    found: dict[str, Json] = {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key in ("cache_control", "prompt_cache_breakpoint"):
            found[f"{path}.{key}".lstrip(".")] = inner
        else:
            found |= marks(inner, f"{path}.{key}".lstrip("."))
    return found


def sent(request: Chat, to: Model = CLAUDE, **options: Any) -> dict[str, Json]:
    return marks(body(request, to, **options))


def test_automatic_marks() -> None:
    """Claude behind OpenRouter gets pi's three marks: system, last tool, last text."""
    expected = dict.fromkeys(
        ("messages.0.content.0.cache_control", "messages.3.content.1.cache_control", "tools.1.cache_control"), EPHEMERAL
    )
    assert sent(chat(*TALK, tools=TOOLS)) == expected


def test_long_and_no_retention() -> None:
    """Long retention asks for an hour where the upstream has it; none sets no mark."""
    assert set(map(str, sent(chat(*TALK), cache="long").values())) == {str({"type": "ephemeral", "ttl": "1h"})}
    short = replace(CLAUDE, compat={"supportsLongCacheRetention": False})
    assert set(map(str, sent(chat(*TALK), short, cache="long").values())) == {str(EPHEMERAL)}
    assert sent(chat(*TALK), cache="none") == {}
    assert sent(chat(*TALK), model()) == {}


def test_clients_marks_win() -> None:
    """One mark of the client's own is forwarded as it is, and pi's are left out."""
    own = {"type": "ephemeral", "ttl": "1h"}
    talk = (SystemMessage("s"), UserMessage((Text("v", own), Text("w"))))
    assert sent(chat(*talk, tools=TOOLS)) == {"messages.1.content.0.cache_control": own}
    tool = (Tool("f", cache_control=own), Tool("g"))
    assert sent(chat(*TALK, tools=tool)) == {"tools.0.cache_control": own}


def test_mark_of_a_message() -> None:
    """A mark on the whole message moves to its text for OpenRouter, and stays for an unknown host."""
    talk = (SystemMessage("s", cache_control=EPHEMERAL), UserMessage("u"))
    assert sent(chat(*talk)) == {"messages.0.content.0.cache_control": EPHEMERAL}
    assert sent(chat(*talk), model()) == {"messages.0.cache_control": EPHEMERAL}


def test_mark_at_the_root() -> None:
    """The wish at the root becomes the automatic marks for Claude, and goes as it is to who may know it."""
    own = {"type": "ephemeral", "ttl": "1h"}
    assert set(map(str, sent(chat(*TALK, cache_control=own)).values())) == {str(own)}
    assert "cache_control" not in sent(chat(*TALK, cache_control=own))
    assert sent(chat(cache_control=own), model()) == {"cache_control": own}


@pytest.mark.parametrize(
    ("to", "request_", "dropped"),
    [
        (model("groq"), chat(UserMessage((Text("x", EPHEMERAL),))), ("cache_control",)),
        (model("openai", OPENAI), chat(UserMessage((Text("x", EPHEMERAL),))), ("cache_control",)),
        (model("openai", OPENAI), chat(UserMessage((Text("x", {"ttl": "1h"}),))), ()),
        (model("groq"), chat(UserMessage((Text("x", {}),))), ("prompt_cache_breakpoint",)),
        (model("groq"), chat(cache_control=EPHEMERAL), ("cache_control",)),
        (model("groq"), chat(tools=(Tool("f", cache_control=EPHEMERAL),)), ("cache_control",)),
        (model("qwen-token-plan"), chat(UserMessage((Text("x", EPHEMERAL),))), ()),
    ],
)
def test_marks_that_nobody_reads(to: Model, request_: Chat, dropped: tuple[str, ...]) -> None:
    """A mark that the upstream would refuse is left out and named."""
    assert build_request(request_, to, Options()).dropped == dropped
    assert bool(sent(request_, to)) is not bool(dropped)


@pytest.mark.parametrize(
    ("to", "options", "expected"),
    [
        (model("openai", OPENAI), {}, "s" * 64),
        (model("openai", OPENAI), {"cache": "none"}, None),
        (model(), {}, None),
        (model(), {"cache": "long"}, "s" * 64),
        (model("together"), {"cache": "long"}, None),
        (model(compat={"promptCacheKeyMode": "enabled"}), {}, "s" * 64),
        (model("openai", OPENAI, compat={"promptCacheKeyMode": "disabled"}), {}, None),
    ],
)
def test_cache_key_of_the_session(to: Model, options: dict[str, Any], expected: str | None) -> None:
    """The session id is the cache key where pi sends one, cut to 64 characters."""
    assert body(chat(), to, session_id="s" * 70, **options).get("prompt_cache_key") == expected


@pytest.mark.parametrize(
    ("to", "key", "dropped"),
    [
        (model("openai", OPENAI), "mine", ()),
        (model(), "mine", ()),
        (model("groq"), None, ("prompt_cache_key",)),
        (model("openrouter", CLAUDE.base_url), None, ()),
        (model("groq", compat={"promptCacheKeyMode": "enabled"}), "mine", ()),
    ],
)
def test_cache_key_of_the_client(to: Model, key: str | None, dropped: tuple[str, ...]) -> None:
    """The client's key goes where it is known; where it only steers affinity, nothing is lost."""
    request = chat(prompt_cache_key="mine")
    assert body(request, to, session_id="s").get("prompt_cache_key") == key
    assert build_request(request, to, Options(session_id="s")).dropped == dropped


def test_long_retention() -> None:
    """Long retention is asked for where it is supported; the client's word wins."""
    assert body(chat(), model(), cache="long")["prompt_cache_retention"] == "24h"
    assert "prompt_cache_retention" not in body(chat(), model("nvidia"), cache="long")
    assert "prompt_cache_retention" not in body(chat(), model())
    own = chat(prompt_cache_retention="in_memory")
    assert body(own, model("openai", OPENAI), cache="long")["prompt_cache_retention"] == "in_memory"
