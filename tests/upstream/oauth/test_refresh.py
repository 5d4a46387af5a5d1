"""When a login is renewed, by whom, and what is left behind when something goes wrong."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from fakes.fetcher import ScriptedFetcher, Step, answer, ok
from fakes.processes import refresh_once, run_together

from piproxy.errors import CredentialError, UpstreamUnreachable
from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry, read_entry
from piproxy.pi.auth_file import AuthFile
from piproxy.pi.jsonfile import dump
from piproxy.pi.lock import DirectoryLock, LockImpossible
from piproxy.pi.login import Login
from piproxy.upstream.http import Fetched
from piproxy.upstream.oauth.refresh import Refresher

NOW = 1_800_000_000
NOW_MS = NOW * 1000
TOKENS = {"access_token": "a2", "refresh_token": "r2", "expires_in": 7200}
NEW = {"type": "oauth", "refresh": "r2", "access": "a2", "expires": NOW_MS + 7_200_000 - 300_000}


def entry(*, left: float, access: str = "a1", refresh: str = "r1", **extra: Json) -> dict[str, Json]:
    """A stored login with so many seconds left."""
    return {"type": "oauth", "refresh": refresh, "access": access, "expires": NOW_MS + int(left * 1000), **extra}


def login_of(value: dict[str, Json], provider: str = "anthropic", flow: str | None = "anthropic") -> Login:
    read = read_entry(value)
    assert isinstance(read, OAuthEntry)
    return Login(provider=provider, kind="oauth", entry=read, flow=flow)


class House:
    """A file, a network and a refresher."""

    def __init__(self, path: Path, http: ScriptedFetcher, nursery: trio.Nursery, auth: AuthFile) -> None:
        self.path = path
        self.http = http
        self.now = float(NOW)
        self.refresher = Refresher(http=http, auth=auth, environ={}, nursery=nursery, clock=lambda: self.now)

    @property
    def stored(self) -> Any:
        return json.loads(self.path.read_bytes())


@asynccontextmanager
async def house(
    tmp_path: Path,
    entries: dict[str, Json],
    steps: list[Step],
    *,
    lock: Callable[[Path], DirectoryLock] = DirectoryLock,
    auth: AuthFile | None = None,
) -> AsyncIterator[House]:
    path = tmp_path / "auth.json"
    path.write_bytes(dump(entries))
    async with trio.open_nursery() as nursery:
        yield House(path, ScriptedFetcher(steps), nursery, auth or AuthFile(path, lock=lock))


async def test_a_token_that_lasts_is_given_without_any_reading(tmp_path: Path) -> None:
    """Five minutes and a bit are enough; the file is not even there."""
    async with house(tmp_path, {}, []) as home:
        home.path.unlink()
        fresh = await home.refresher.fresh(login_of(entry(left=300.001)))
        assert fresh.access == "a1"
        assert not home.path.exists()


async def test_a_token_is_renewed_five_minutes_before_it_expires(tmp_path: Path) -> None:
    """Written back in pi's form; the others stay."""
    old = entry(left=300)
    others = {"groq": {"type": "api_key", "key": "k"}}
    async with house(tmp_path, {"anthropic": old, **others}, [ok(TOKENS)]) as home:
        fresh = await home.refresher.fresh(login_of(old))
        assert fresh.access == "a2"
        assert home.path.read_bytes() == dump({"anthropic": NEW, **others})
        assert home.http.asked[0].json["refresh_token"] == "r1"
        assert not home.path.with_name("auth.json.lock").exists()


async def test_a_refused_token_is_renewed_although_it_lasts(tmp_path: Path) -> None:
    """Once for all who were refused with it; a token that nobody refused is left alone."""
    old = entry(left=3600)
    async with house(tmp_path, {"anthropic": old}, [ok(TOKENS)]) as home:
        home.refresher.refused(login_of(old), ["another"])
        assert (await home.refresher.fresh(login_of(old))).access == "a1"
        for _ in range(2):
            home.refresher.refused(login_of(old), ["x", "a1"])
            assert (await home.refresher.fresh(login_of(old))).access == "a2"
            old = home.stored["anthropic"]
        assert len(home.http.asked) == 1


async def test_a_renewed_token_that_is_refused_waits_five_minutes(tmp_path: Path) -> None:
    """A provider that refuses everything must not make piproxy spend one refresh token after the other."""
    old = entry(left=3600)
    async with house(tmp_path, {"anthropic": old}, [ok(TOKENS), ok({**TOKENS, "access_token": "a3"})]) as home:
        home.refresher.refused(login_of(old), ["a1"])
        assert (await home.refresher.fresh(login_of(old))).access == "a2"
        new = login_of(home.stored["anthropic"])
        home.now += 299
        home.refresher.refused(new, ["a2"])
        assert (await home.refresher.fresh(new)).access == "a2"
        home.now += 1
        home.refresher.refused(new, ["a2"])
        assert (await home.refresher.fresh(new)).access == "a3"


async def test_a_refused_token_that_another_process_renewed_is_not_renewed_again(tmp_path: Path) -> None:
    """Whoever comes second under the lock finds a token that nobody refused."""
    async with house(tmp_path, {"anthropic": entry(left=3600, access="theirs")}, []) as home:
        old = login_of(entry(left=3600))
        home.refresher.refused(old, ["a1"])
        assert (await home.refresher.fresh(old)).access == "theirs"


async def test_a_refused_token_that_cannot_be_renewed_now_is_tried_on(tmp_path: Path) -> None:
    """The refusal may have been a mistake; only a login that is certainly over stops before the provider is asked."""
    old = entry(left=3600)
    steps: list[Step] = [UpstreamUnreachable("down"), answer(400, {"error": "invalid_grant"})]
    async with house(tmp_path, {"anthropic": old}, steps) as home:
        home.refresher.refused(login_of(old), ["a1"])
        assert (await home.refresher.fresh(login_of(old))).access == "a1"
        home.now += 31
        for _ in range(2):
            with pytest.raises(CredentialError, match=r"was refused and could not be renewed .*/login anthropic"):
                await home.refresher.fresh(login_of(old))
        home.now += 300
        assert (await home.refresher.fresh(login_of(old))).access == "a1"


async def test_a_login_without_a_refresh_token_is_used_as_it_is(tmp_path: Path) -> None:
    """OpenRouter's key is permanent, and an extension's login is nobody's but pi's."""
    permanent = login_of(entry(left=3600, refresh=""), "openrouter", "openrouter")
    strange = login_of(entry(left=3600), "corp", None)
    async with house(tmp_path, {}, []) as home:
        for login in (permanent, strange):
            home.refresher.refused(login, ["a1"])
            assert (await home.refresher.fresh(login)).access == "a1"


async def test_many_requests_wait_for_one_refresh(tmp_path: Path) -> None:
    """One call, one result for all."""
    old = entry(left=0)
    results: list[str] = []
    async with house(tmp_path, {"anthropic": old}, [0.05, ok(TOKENS)]) as home:

        async def ask() -> None:
            results.append((await home.refresher.fresh(login_of(old))).access)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
    assert results == ["a2"] * 5
    assert len(home.http.asked) == 1


async def test_providers_are_renewed_side_by_side(tmp_path: Path) -> None:
    """Each has its own refresh, both write the same file, neither is lost."""
    entries = {"anthropic": entry(left=0), "xai": entry(left=0, refresh="x1")}
    async with house(tmp_path, entries, [ok(TOKENS), ok({**TOKENS, "access_token": "a3"})]) as home:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(home.refresher.fresh, login_of(entries["anthropic"]))
            nursery.start_soon(home.refresher.fresh, login_of(entries["xai"], "xai", "xai"))
        assert {value["refresh"] for value in home.stored.values()} == {"r2"}
        assert {value["access"] for value in home.stored.values()} == {"a2", "a3"}


async def test_a_token_that_another_process_renewed_is_used(tmp_path: Path) -> None:
    """The file is read again under the lock; nobody is asked."""
    async with house(tmp_path, {"anthropic": entry(left=3600, access="theirs")}, []) as home:
        fresh = await home.refresher.fresh(login_of(entry(left=0)))
        assert fresh.access == "theirs"


async def test_the_refresh_token_is_the_one_in_the_file(tmp_path: Path) -> None:
    """The caller's may be an older one."""
    async with house(tmp_path, {"anthropic": entry(left=1, refresh="newer")}, [ok(TOKENS)]) as home:
        await home.refresher.fresh(login_of(entry(left=0)))
        assert home.http.asked[0].json["refresh_token"] == "newer"


@pytest.mark.parametrize("entries", [{}, {"anthropic": {"type": "api_key", "key": "k"}}])
async def test_a_login_that_is_gone_is_said(tmp_path: Path, entries: dict[str, Json]) -> None:
    """Logged out meanwhile: no call, no write."""
    async with house(tmp_path, entries, []) as home:
        with pytest.raises(CredentialError, match="'anthropic' is gone"):
            await home.refresher.fresh(login_of(entry(left=0)))
        assert home.stored == entries


async def test_a_cancelled_request_does_not_cancel_the_refresh(tmp_path: Path) -> None:
    """It had been sent when the client left; the new token is in the file all the same."""
    old = entry(left=0)
    async with house(tmp_path, {"anthropic": old}, [0.1, ok(TOKENS)]) as home:
        async with trio.open_nursery() as request:
            request.start_soon(home.refresher.fresh, login_of(old))
            await home.http.started.wait()
            request.cancel_scope.cancel()
        assert home.stored == {"anthropic": old}
        assert (await home.refresher.fresh(login_of(old))).access == "a2"
        assert len(home.http.asked) == 1
    assert home.stored == {"anthropic": NEW}


async def test_a_shutdown_waits_for_a_refresh_that_was_sent(tmp_path: Path) -> None:
    """Cancelling the long-lived nursery itself loses no login."""
    old = entry(left=0)
    path = tmp_path / "auth.json"
    path.write_bytes(dump({"anthropic": old}))
    http = ScriptedFetcher([0.1, ok(TOKENS)])
    async with trio.open_nursery() as nursery:
        refresher = Refresher(http=http, auth=AuthFile(path), environ={}, nursery=nursery, clock=lambda: float(NOW))
        nursery.start_soon(refresher.fresh, login_of(old))
        await http.started.wait()
        nursery.cancel_scope.cancel()
    assert json.loads(path.read_bytes()) == {"anthropic": NEW}
    assert not path.with_name("auth.json.lock").exists()


async def test_a_shutdown_while_waiting_for_the_lock_ends_the_waiting(tmp_path: Path) -> None:
    """Nothing was sent, so nothing can be lost."""
    old = entry(left=0)
    path = tmp_path / "auth.json"
    path.write_bytes(dump({"anthropic": old}))
    path.with_name("auth.json.lock").mkdir()
    http = ScriptedFetcher()
    async with trio.open_nursery() as nursery:
        refresher = Refresher(http=http, auth=AuthFile(path), environ={}, nursery=nursery, clock=lambda: float(NOW))
        nursery.start_soon(refresher.fresh, login_of(old))
        await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert http.asked == []
    assert path.with_name("auth.json.lock").exists()


FAILURES = [
    (answer(400, {"error": "invalid_grant", "error_description": "s3cret"}), "HTTP 400, invalid_grant", False),
    (answer(401, {}), "HTTP 401", False),
    (answer(400, {"error": "invalid_client"}), "HTTP 400, invalid_client", False),
    (answer(429, {}), "HTTP 429", True),
    (answer(503, {}), "HTTP 503", True),
    (UpstreamUnreachable("Connection refused."), "Connection refused", True),
    (ok({"expires_in": 7200}), "no access_token", False),
    (ok([]), "not a JSON object", False),
]


@pytest.mark.parametrize(("step", "reason", "passing"), FAILURES)
async def test_a_failed_refresh_leaves_the_file_and_says_which_login_to_repeat(
    *, tmp_path: Path, step: Step, reason: str, passing: bool
) -> None:
    """When the token is no longer valid: 502, no secret of the answer's, and another try only where it may help.

    A reply of 2xx that cannot be read may have spent the refresh token: sent again, it could end the login.
    """
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [step]) as home:
        before = home.path.read_bytes()
        with pytest.raises(CredentialError) as caught:
            await home.refresher.fresh(login_of(old))
        assert home.path.read_bytes() == before
    assert (caught.value.status, caught.value.headers.get("x-should-retry")) == (502, None if passing else "false")
    assert f"{reason})." in caught.value.message
    assert "/login anthropic" in caught.value.message
    assert "s3cret" not in caught.value.message


async def test_a_new_refresh_token_outlives_a_reply_that_says_no_lifetime(tmp_path: Path) -> None:
    """It is stored with an hour; the spent one is never sent again."""
    old = entry(left=-1)
    steps: list[Step] = [ok({"access_token": "a2", "refresh_token": "r2"}), ok({**TOKENS, "access_token": "a3"})]
    async with house(tmp_path, {"corp": old}, steps) as home:
        login = login_of(old, "corp", "radius")
        assert (await home.refresher.fresh(login)).access == "a2"
        new = {"type": "oauth", "access": "a2", "refresh": "r2", "expires": NOW_MS + 3_600_000 - 60_000}
        assert home.stored == {"corp": new}
        home.now += 3600
        assert (await home.refresher.fresh(login_of(new, "corp", "radius"))).access == "a3"
        assert [dict(call.form)["refresh_token"] for call in home.http.asked] == ["r1", "r2"]


@pytest.mark.parametrize("left", [120, -1])
async def test_a_new_refresh_token_outlives_a_reply_without_an_access_token(
    tmp_path: Path, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    """All else of the entry stays as it is, and nobody says that the login was renewed; the next time it is."""
    old = entry(left=left, more=["1"])
    with caplog.at_level(logging.INFO):
        async with house(tmp_path, {"anthropic": old}, [ok({"refresh_token": "r2"}), ok(TOKENS)]) as home:
            if left > 0:
                assert (await home.refresher.fresh(login_of(old))).access == "a1"
            else:
                with pytest.raises(CredentialError, match=r"could not be renewed \(the reply has no access_token\)\."):
                    await home.refresher.fresh(login_of(old))
            assert home.stored == {"anthropic": {**old, "refresh": "r2"}}
            assert "Renewed" not in caplog.text
            home.now += 31
            assert (await home.refresher.fresh(login_of(home.stored["anthropic"]))).access == "a2"
            assert [call.json["refresh_token"] for call in home.http.asked] == ["r1", "r2"]


@pytest.mark.parametrize(("step", "reason"), [row[:2] for row in FAILURES])
async def test_a_failed_refresh_uses_a_token_that_is_still_valid(
    tmp_path: Path, step: Step, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, and nobody is asked again within 30 seconds."""
    old = entry(left=120)
    with caplog.at_level(logging.WARNING):
        async with house(tmp_path, {"anthropic": old}, [step]) as home:
            for _ in range(3):
                assert (await home.refresher.fresh(login_of(old))).access == "a1"
            assert len(home.http.asked) == 1
    assert reason in caplog.text
    assert "s3cret" not in caplog.text


async def test_after_a_passing_failure_it_is_tried_again(tmp_path: Path) -> None:
    """30 seconds later, with the token still valid."""
    old = entry(left=120)
    async with house(tmp_path, {"anthropic": old}, [answer(500, {}), ok(TOKENS)]) as home:
        assert (await home.refresher.fresh(login_of(old))).access == "a1"
        home.now += 31
        assert (await home.refresher.fresh(login_of(old))).access == "a2"


async def test_a_passing_failure_is_over_with_the_next_request(tmp_path: Path) -> None:
    """A client that tries again finds the token endpoint asked again, without any wait of ours."""
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [answer(503, {}), ok(TOKENS)]) as home:
        with pytest.raises(CredentialError, match=r"\(HTTP 503\)\. If that lasts: log in again: .*/login anthropic"):
            await home.refresher.fresh(login_of(old))
        assert (await home.refresher.fresh(login_of(old))).access == "a2"


@pytest.mark.parametrize(
    ("status", "after", "told"), [(429, "30", "30"), (503, "2", "2"), (429, "soon", None), (400, "30", None)]
)
async def test_a_token_endpoint_that_wants_to_be_left_alone_is_heard(
    tmp_path: Path, status: int, after: str, told: str | None
) -> None:
    """The official SDKs wait as long as they are told; where trying again cannot help, there is nothing to wait for."""
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [Fetched(status, {"retry-after": after}, b"{}")]) as home:
        with pytest.raises(CredentialError) as caught:
            await home.refresher.fresh(login_of(old))
    assert caught.value.headers.get("retry-after") == told


async def test_each_request_gets_an_error_of_its_own(tmp_path: Path) -> None:
    """One error raised for every request would hold on to all of them by its traceback."""
    old = entry(left=-1)
    errors = []
    async with house(tmp_path, {"anthropic": old}, [answer(400, {"error": "invalid_grant"})]) as home:
        for _ in range(3):
            with pytest.raises(CredentialError, match="invalid_grant") as caught:
                await home.refresher.fresh(login_of(old))
            errors.append(caught.value)
    assert len(set(map(id, errors))) == 3
    assert {error.headers["x-should-retry"] for error in errors} == {"false"}


async def test_a_refresh_token_that_was_refused_is_not_sent_again(tmp_path: Path) -> None:
    """Until the user logs in again."""
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [answer(400, {"error": "invalid_grant"}), ok(TOKENS)]) as home:
        for _ in range(2):
            with pytest.raises(CredentialError, match="invalid_grant"):
                await home.refresher.fresh(login_of(old))
        assert len(home.http.asked) == 1
        repeated = entry(left=-1, refresh="r1b")
        home.path.write_bytes(dump({"anthropic": repeated}))
        assert (await home.refresher.fresh(login_of(repeated))).access == "a2"


async def test_a_silent_token_endpoint_costs_15_seconds(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """Then the lock is free again and the error names the time."""
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [3600.0, ok(TOKENS)]) as home:
        began = trio.current_time()
        with pytest.raises(CredentialError, match="no answer within 15 seconds") as caught:
            await home.refresher.fresh(login_of(old))
        assert caught.value.passing
        assert trio.current_time() - began == 15
        assert home.stored == {"anthropic": old}
        assert not home.path.with_name("auth.json.lock").exists()


async def test_kimi_is_asked_up_to_four_times(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """After a lost connection, 429 and 5xx, with pauses of 1, 2 and 4 seconds."""
    old = entry(left=-1)
    steps: list[Step] = [UpstreamUnreachable("reset"), answer(429, {}), answer(500, {}), ok(TOKENS)]
    async with house(tmp_path, {"kimi-coding": old}, steps) as home:
        began = trio.current_time()
        assert (await home.refresher.fresh(login_of(old, "kimi-coding", "kimi-coding"))).access == "a2"
        assert trio.current_time() - began == 7


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_of_kimis_is_final(tmp_path: Path, status: int) -> None:
    """No second attempt."""
    old = entry(left=-1)
    async with house(tmp_path, {"kimi-coding": old}, [answer(status, {"error": "invalid_grant"})]) as home:
        with pytest.raises(CredentialError, match="'kimi-coding'"):
            await home.refresher.fresh(login_of(old, "kimi-coding", "kimi-coding"))


COPILOT_TOKEN = {"token": "tid=2", "expires_at": NOW + 1800}
COPILOT_MODELS = {"data": [{"id": "m", "model_picker_enabled": True}]}


async def test_copilot_is_asked_for_its_models_too(tmp_path: Path) -> None:
    """And the list is stored at the end of the entry."""
    old = entry(left=0, availableModelIds=["old"])
    async with house(tmp_path, {"github-copilot": old}, [ok(COPILOT_TOKEN), ok(COPILOT_MODELS)]) as home:
        fresh = await home.refresher.fresh(login_of(old, "github-copilot", "github-copilot"))
        assert fresh.available_model_ids == frozenset({"m"})
        assert list(home.stored["github-copilot"]) == ["type", "refresh", "access", "expires", "availableModelIds"]
        assert [asked.url.rsplit("/", 1)[1] for asked in home.http.asked] == ["token", "models"]


@pytest.mark.parametrize("step", [answer(500, {}), 6.0])
async def test_a_failing_model_list_fails_copilots_refresh(
    tmp_path: Path, step: Step, autojump_clock: trio.testing.MockClock
) -> None:
    """After five seconds at the latest, as in pi."""
    old = entry(left=-1)
    async with house(tmp_path, {"github-copilot": old}, [ok(COPILOT_TOKEN), step, ok(COPILOT_MODELS)]) as home:
        with pytest.raises(CredentialError, match="'github-copilot'") as caught:
            await home.refresher.fresh(login_of(old, "github-copilot", "github-copilot"))
        assert caught.value.passing
        assert home.stored == {"github-copilot": old}


def unlockable(path: Path) -> DirectoryLock:
    raise LockImpossible(f"Cannot lock {path}: Read-only file system")


@pytest.mark.parametrize("provider", ["anthropic", "openai-codex", "openai", "xai", "kimi-coding", "radius"])
async def test_a_rotating_token_is_never_spent_in_a_directory_that_cannot_be_written(
    tmp_path: Path, provider: str
) -> None:
    """The new one could not be saved, and pi would be logged out."""
    valid, expired = entry(left=60), entry(left=-1)
    async with house(tmp_path, {provider: valid}, [], lock=unlockable) as home:
        assert (await home.refresher.fresh(login_of(valid, provider, provider))).access == "a1"
        home.now += 61
        with pytest.raises(CredentialError, match="could not be saved: Cannot lock") as caught:
            await home.refresher.fresh(login_of(expired, provider, provider))
        assert not caught.value.passing


@pytest.mark.parametrize(
    ("provider", "steps"),
    [("meta", [ok({"api_key": "a2"})]), ("github-copilot", [ok({**COPILOT_TOKEN, "token": "a2"}), ok(COPILOT_MODELS)])],
)
async def test_a_token_that_does_not_rotate_is_renewed_in_memory_there(
    tmp_path: Path, provider: str, steps: list[Step]
) -> None:
    """Copilot and Meta; the second request uses what the first one got."""
    old = entry(left=-1)
    async with house(tmp_path, {provider: old}, steps, lock=unlockable) as home:
        for _ in range(2):
            assert (await home.refresher.fresh(login_of(old, provider, provider))).access == "a2"
        assert home.stored == {provider: old}


async def test_a_file_that_cannot_be_written_counts_as_such_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only bind mount of the file alone."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, []) as home:
        with pytest.raises(CredentialError, match="cannot be written"):
            await home.refresher.fresh(login_of(old))


class FullDisk(AuthFile):
    full = True

    def write_locked(self, key: str, change: Callable[[Json], Json]) -> bool:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write_locked(key, change)


async def test_a_token_that_could_not_be_saved_is_kept_and_saved_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full: the process goes on with the new token, says so, and the next refresh uses it."""
    old = entry(left=-1)
    auth = FullDisk(tmp_path / "auth.json")
    second = ok({**TOKENS, "access_token": "a3", "refresh_token": "r3"})
    async with house(tmp_path, {"anthropic": old}, [ok(TOKENS), second], auth=auth) as home:
        for _ in range(2):
            assert (await home.refresher.fresh(login_of(old))).access == "a2"
        assert "No space left" in caplog.text
        assert home.stored == {"anthropic": old}
        auth.full = False
        home.now += 7200
        assert (await home.refresher.fresh(login_of(old))).access == "a3"
        assert home.http.asked[1].json["refresh_token"] == "r2"
        assert home.stored["anthropic"]["refresh"] == "r3"


async def test_a_lock_that_was_lost_is_taken_again_before_writing(tmp_path: Path) -> None:
    """A stolen lock: the new token is written under a new one, because the old one is still in the file."""
    old = entry(left=-1)
    beside = tmp_path / "auth.json.lock"

    def steal(_asked: object) -> Any:
        beside.rmdir()
        return ok(TOKENS)

    async with house(tmp_path, {"anthropic": old}, [steal]) as home:
        assert (await home.refresher.fresh(login_of(old))).access == "a2"
        assert home.stored == {"anthropic": NEW}
        assert not beside.exists()


async def test_a_token_of_somebody_else_s_is_not_overwritten(tmp_path: Path) -> None:
    """The lock was lost and the user logged in again meanwhile: the file is theirs."""
    old = entry(left=-1)
    theirs = {"anthropic": entry(left=3600, access="theirs", refresh="their-refresh")}
    path = tmp_path / "auth.json"

    def steal(_asked: object) -> Any:
        path.with_name("auth.json.lock").rmdir()
        path.write_bytes(dump(theirs))
        return ok(TOKENS)

    async with house(tmp_path, {"anthropic": old}, [steal]) as home:
        await home.refresher.fresh(login_of(old))
        assert home.stored == theirs


async def test_a_login_of_an_extension_lasts_as_long_as_it_lasts(tmp_path: Path) -> None:
    """Only pi can renew it."""
    async with house(tmp_path, {}, []) as home:
        assert (await home.refresher.fresh(login_of(entry(left=10), "corp", None))).access == "a1"
        with pytest.raises(CredentialError, match=r"only the pi extension that made it can renew it\..*/login corp"):
            await home.refresher.fresh(login_of(entry(left=-1), "corp", None))


async def test_an_unforeseen_error_ends_one_refresh_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The nursery lives on; the log has the trace, the client a plain sentence."""
    old = entry(left=-1)
    async with house(tmp_path, {"anthropic": old}, [RuntimeError("boom"), ok(TOKENS)]) as home:
        with pytest.raises(CredentialError, match="the log says why") as caught:
            await home.refresher.fresh(login_of(old))
        assert "boom" not in caught.value.message
        assert "boom" in caplog.text
        assert (await home.refresher.fresh(login_of(old))).access == "a2"


async def test_a_lock_that_stays_busy_leaves_a_valid_token_in_use(tmp_path: Path) -> None:
    """Else the error names the lock."""

    def impatient(path: Path) -> DirectoryLock:
        return DirectoryLock(path, wait=0.05)

    async with house(tmp_path, {}, [], lock=impatient) as home:
        home.path.with_name("auth.json.lock").mkdir()
        assert (await home.refresher.fresh(login_of(entry(left=60)))).access == "a1"
        with pytest.raises(CredentialError, match=r"auth\.json\.lock is held") as caught:
            await home.refresher.fresh(login_of(entry(left=-1, refresh="other")))
        assert caught.value.passing


async def test_an_expired_login_without_a_refresh_token_is_over(tmp_path: Path) -> None:
    """Nobody is asked for a new one with nothing in hand."""
    old = entry(left=-1, refresh="")
    async with house(tmp_path, {"xai": old}, []) as home:
        with pytest.raises(CredentialError, match=r"has expired .*nothing to renew it with.*/login xai") as caught:
            await home.refresher.fresh(login_of(old, "xai", "xai"))
        assert not caught.value.passing


async def test_a_login_without_an_entry_is_no_login(tmp_path: Path) -> None:
    """What to do is said."""
    async with house(tmp_path, {}, []) as home:
        with pytest.raises(CredentialError, match="No login is stored for provider 'xai'"):
            await home.refresher.fresh(Login(provider="xai", kind="oauth"))


async def test_a_malformed_file_is_never_written(tmp_path: Path) -> None:
    """The reason is given, the bytes stay."""
    async with house(tmp_path, {}, []) as home:
        home.path.write_text('{"anthropic": ')
        with pytest.raises(CredentialError, match=r"auth\.json:1"):
            await home.refresher.fresh(login_of(entry(left=-1)))
        assert home.path.read_text() == '{"anthropic": '


def test_processes_that_race_spend_a_refresh_token_once(tmp_path: Path) -> None:
    """Three processes, one login: one asks, the others use its result."""
    path, endpoint = tmp_path / "auth.json", tmp_path / "spent"
    endpoint.mkdir()
    path.write_bytes(dump({"anthropic": {"type": "oauth", "refresh": "r1", "access": "a1", "expires": 1}}))
    assert run_together([(refresh_once, (path, endpoint, False))] * 3) == [0, 0, 0]
    assert [spent.name for spent in endpoint.iterdir()] == ["r1"]
    assert json.loads(path.read_bytes())["anthropic"]["refresh"] == "r2"


def test_a_crash_before_the_write_leaves_the_file_whole_and_the_lock_to_be_cleared(tmp_path: Path) -> None:
    """The spent token is lost with the process; after 30 seconds the next one clears the lock and is refused."""
    path, endpoint = tmp_path / "auth.json", tmp_path / "spent"
    endpoint.mkdir()
    before = dump({"anthropic": {"type": "oauth", "refresh": "r1", "access": "a1", "expires": 1}})
    path.write_bytes(before)
    assert run_together([(refresh_once, (path, endpoint, True))]) == [7]
    lock = path.with_name("auth.json.lock")
    assert lock.is_dir()
    assert path.read_bytes() == before
    os.utime(lock, (time.time() - 31, time.time() - 31))
    assert run_together([(refresh_once, (path, endpoint, False))]) == [1]
    assert path.read_bytes() == before
    assert not lock.exists()
