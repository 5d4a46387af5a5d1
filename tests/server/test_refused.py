"""A provider refuses what authenticated the request: what is tried instead, and what the client is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.gateway import CHAT, Gateway, gateway
from fakes.provider import DONE, Conversation, chunk
from trio.testing import wait_all_tasks_blocked

from piproxy.pi import kept

OWN = {"baseUrl": "http://provider.test/v1", "api": "openai-completions", "models": [{"id": "m"}]}
REFUSAL = json.dumps({"error": {"message": "Bad credentials", "type": "authentication_error"}}).encode()
TOKENS = {"access_token": "at-new-0123456789", "refresh_token": "rt-new-0123456789", "expires_in": 3600}


def login(access: str) -> dict[str, Any]:
    """A stored login that lasts."""
    return {"type": "oauth", "access": access, "refresh": "rt-0123456789", "expires": int(time.time() + 3600) * 1000}


def store(directory: Path, **entries: object) -> None:
    (directory / "auth.json").write_text(json.dumps(entries))


class Script:
    """Accepts one token or key for chats; answers the token endpoint; remembers who came."""

    def __init__(
        self,
        accepted: str,
        *,
        tokens: tuple[int, object] = (200, TOKENS),
        before: Callable[[], None] = lambda: None,
        status: int = 401,
        words: bytes = REFUSAL,
    ) -> None:
        self.accepted = accepted
        self.tokens = tokens
        self.before = before
        self.status = status
        self.words = words
        self.came: list[str] = []

    async def __call__(self, talk: Conversation) -> None:
        if talk.asked.target.endswith("/oauth2/token"):
            self.came.append("token endpoint")
            status, reply = self.tokens
            await talk.json(status, json.dumps(reply).encode())
            return
        key = talk.asked.headers["authorization"].removeprefix("Bearer ")
        self.came.append(key)
        if key == self.accepted:
            await talk.head()
            await talk.data(chunk(content="hi"), chunk(finish_reason="stop"), DONE)
            await talk.end()
        else:
            self.before()
            await talk.json(self.status, self.words)


async def ask(here: Gateway, **headers: str) -> tuple[int, str]:
    """Status, and the answer's text or the error's message."""
    reply = await here.client().ask("POST", "/v1/chat/completions", CHAT, **headers)
    said = reply.json
    return reply.status, said["error"]["message"] if "error" in said else said["choices"][0]["message"]["content"]


async def test_a_login_that_pi_renewed_meanwhile_is_used(tmp_path: Path) -> None:
    """The old token was on its way when pi replaced it; the client notices nothing."""
    store(tmp_path, xai=login("at-old-0123456789"))
    script = Script("at-pi-0123456789", before=lambda: store(tmp_path, xai=login("at-pi-0123456789")))
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        assert await ask(here) == (200, "hi")
        assert script.came == ["at-old-0123456789", "at-pi-0123456789"]
        assert "a credential was refused, and another is tried" in "".join(here.lines)


async def test_a_token_that_was_revoked_before_its_time_is_renewed(tmp_path: Path) -> None:
    """Once, under the lock, and the request is sent again with the new one."""
    store(tmp_path, xai=login("at-old-0123456789"))
    script = Script("at-new-0123456789")
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        assert await ask(here) == (200, "hi")
        assert await ask(here) == (200, "hi")
        assert script.came == ["at-old-0123456789", "token endpoint", "at-new-0123456789", "at-new-0123456789"]
        assert json.loads((tmp_path / "auth.json").read_bytes())["xai"]["refresh"] == "rt-new-0123456789"


async def test_a_login_that_is_over_names_what_to_repeat(tmp_path: Path) -> None:
    """The provider refuses the token, and the renewal, too; nobody is asked again in vain."""
    store(tmp_path, xai=login("at-old-0123456789"))
    script = Script("nothing", tokens=(400, {"error": "invalid_grant"}))
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        for _ in range(2):
            status, message = await ask(here)
            assert status == 502
            assert "The login for provider 'xai' was refused and could not be renewed" in message
            assert "/login xai" in message
        assert script.came == ["at-old-0123456789", "token endpoint"]
        store(tmp_path, xai=login("nothing"))
        assert await ask(here) == (200, "hi")


async def test_a_token_endpoint_that_is_busy_lets_the_client_try_again(tmp_path: Path) -> None:
    """The official SDKs repeat a 502 unless they are told not to; the second request asks again and succeeds."""
    store(tmp_path, xai={**login("at-old-0123456789"), "expires": 1})
    script = Script("at-new-0123456789", tokens=(503, {}))
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        reply = await here.client().ask("POST", "/v1/chat/completions", CHAT)
        assert (reply.status, "x-should-retry" in reply.headers) == (502, False)
        assert reply.json["error"]["message"].startswith(
            "The login for provider 'xai' has expired and could not be renewed (HTTP 503)."
        )
        script.tokens = (200, TOKENS)
        assert await ask(here) == (200, "hi")
        assert script.came == ["token endpoint", "token endpoint", "at-new-0123456789"]


async def test_a_renewed_token_that_is_refused_is_not_renewed_again(tmp_path: Path) -> None:
    """The reason must be another; the provider's words and the login's place are what the client gets, each time."""
    store(tmp_path, xai=login("at-old-0123456789"))
    script = Script("nothing")
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        told = (
            "Bad credentials (The credential came from auth.json. If it stays refused, log in again: run `pi` and "
            "enter `/login xai`.)"
        )
        assert await ask(here) == (502, told)
        assert script.came == ["at-old-0123456789", "token endpoint", "at-new-0123456789"]
        assert await ask(here) == (502, told)
        assert script.came[3:] == ["at-new-0123456789"]
        await wait_all_tasks_blocked()
        assert all("The credential came from auth.json." in line["error"] for line in here.log)


@pytest.mark.parametrize(
    ("words", "renewed"),
    [("OAuth token has been revoked.", True), ("Your plan does not include this model.", False)],
)
async def test_a_403_counts_when_it_is_about_the_token(tmp_path: Path, words: str, *, renewed: bool) -> None:
    """What the owner of the token may not do does not change with a new one."""
    store(tmp_path, xai=login("at-old-0123456789"))
    refusal = json.dumps({"error": {"message": words, "type": "permission_error"}}).encode()
    script = Script("at-new-0123456789", status=403, words=refusal)
    async with gateway(tmp_path, script, models={"providers": {"xai": OWN}}) as here:
        status, _ = await ask(here)
    assert (status, "token endpoint" in script.came) == ((200, True) if renewed else (502, False))


async def test_a_key_is_what_it_is(tmp_path: Path) -> None:
    """It is not tried twice; client and log learn where it came from, and nobody what it is."""
    script = Script("nothing")
    async with gateway(tmp_path, script, models={"providers": {"corp": {**OWN, "apiKey": "sk-0123456789"}}}) as here:
        assert await ask(here) == (502, "Bad credentials (The credential came from models.json.)")
        assert script.came == ["sk-0123456789"]
        await wait_all_tasks_blocked()
        assert here.log[0]["error"].endswith("The credential came from models.json.")


async def test_a_header_that_changes_is_no_other_credential(tmp_path: Path) -> None:
    """A command may print the time for it; the key is still the one that was refused."""
    corp = {**OWN, "apiKey": "sk-0123456789", "headers": {"X-At": "!date +%N"}}
    script = Script("nothing")
    async with gateway(tmp_path, script, models={"providers": {"corp": corp}}) as here:
        assert (await ask(here))[0] == 502
        assert script.came == ["sk-0123456789"]


async def test_a_key_of_the_client_is_its_own_business(tmp_path: Path) -> None:
    """A 401, once, without a word about ours."""
    script = Script("nothing")
    async with gateway(tmp_path, script, models={"providers": {"corp": {**OWN, "apiKey": "sk-0123456789"}}}) as here:
        assert await ask(here, x_pi_upstream_api_key="sk-theirs-0123456789") == (401, "Bad credentials")
        assert script.came == ["sk-theirs-0123456789"]


async def test_a_command_s_key_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In auth.json its outcome is kept, as in pi, until the provider refuses it."""
    monkeypatch.setattr(kept, "RECENT", 0.0)
    key = tmp_path / "key"
    key.write_text("k-first-0123456789")
    store(tmp_path, corp={"type": "api_key", "key": f"!cat {key}"})
    script = Script("k-first-0123456789")
    async with gateway(tmp_path, script, models={"providers": {"corp": OWN}}) as here:
        assert await ask(here) == (200, "hi")
        key.write_text("k-second-0123456789")
        assert await ask(here) == (200, "hi")
        script.accepted = "k-second-0123456789"
        assert await ask(here) == (200, "hi")
        assert script.came == ["k-first-0123456789"] * 3 + ["k-second-0123456789"]


async def test_what_cannot_be_used_is_told_in_the_log_once(tmp_path: Path) -> None:
    """A stored key or one of models.json that has no value, with the reason and without its command."""
    store(tmp_path, stored={"type": "api_key", "key": "!echo k-0123456789; exit 9"})
    models = {"stored": OWN, "unset": {**OWN, "apiKey": "$NOT_SET"}, "keyless": OWN, "corp": {**OWN, "apiKey": "k"}}
    async with gateway(tmp_path, Script("k"), models={"providers": models}) as here:
        for _ in range(2):
            assert (await here.client().ask("GET", "/v1/models/m")).status == 200
        told = [line["what"] for line in map(json.loads, here.lines) if line["event"] == "warning"]
    assert told == [
        "stored: the key in auth.json could not be resolved from shell command (exit code 9)",
        'unset: Failed to resolve API key for provider "unset" from environment variable: NOT_SET',
    ]
