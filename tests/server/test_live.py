"""Settings that change under a running proxy."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.gateway import gateway
from fakes.provider import Conversation
from fakes.served import served
from fakes.waiting import Said

from piproxy.errors import ConfigError
from piproxy.server import lifecycle
from piproxy.server.live import LiveSettings


def live(path: Path, text: str) -> LiveSettings:
    path.write_text(text)
    return LiveSettings({}, path, {})


@pytest.mark.parametrize(
    "broken",
    [
        '{"authToken": ',
        "[]",
        "",
        '{"authToken": 5}',
        '{"auth_token": "t0ken"}',
        '{"token": "t0ken"}',
        '{"authToken": "t0ken", "maxConcurrency": -1}',
    ],
    ids=["half written", "no object", "empty", "wrong type", "other separators", "other name", "out of range"],
)
def test_a_file_that_breaks_changes_nothing(broken: str, tmp_path: Path) -> None:
    """Neither the token nor the limit is lost, and the reason names the file; once it is whole again, it counts."""
    path = tmp_path / "proxy-config.json"
    settings = live(path, '{"authToken": "t0ken", "maxConcurrency": 3, "modelExposureMode": "enabled"}')
    path.write_text(broken)
    with pytest.raises(ConfigError, match=r"proxy-config\.json"):
        settings.reload()
    assert (settings.settings.auth_token, settings.settings.max_concurrency) == ("t0ken", 3)
    assert settings.exposing().model_exposure_mode == "enabled"
    path.write_text('{"authToken": "other"}')
    settings.reload()
    assert (settings.settings.auth_token, settings.settings.max_concurrency) == ("other", 0)
    assert settings.exposing().model_exposure_mode == "all"


def test_what_a_start_has_repaired_stays_repaired(tmp_path: Path) -> None:
    """A flaw that was told at the start, and an unknown key, hold nothing up."""
    path = tmp_path / "proxy-config.json"
    settings = live(path, '{"maxConcurrency": -1, "modelExposureMode": "enabled"}')
    path.write_text('{"maxConcurrency": -1, "authToken": "t0ken", "colour": "green"}')
    assert settings.exposing().model_exposure_mode == "all"
    settings.reload()
    assert settings.settings.auth_token == "t0ken"
    path.unlink()
    settings.reload()
    assert settings.settings.auth_token == ""


async def test_sighup_with_a_broken_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The token stays, and the log has one line about it."""

    async def nobody(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    path = tmp_path / "proxy-config.json"
    path.write_text('{"authToken": "t0ken"}')
    with trio.fail_after(60):
        async with served(tmp_path, nobody, log_format="json") as s:
            path.write_text('{"authToken": ')
            os.kill(os.getpid(), signal.SIGHUP)
            said: list[Any] = []
            while not said:
                await trio.sleep(0.01)
                said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
            assert [line["event"] for line in said] == ["the settings were not changed"]
            assert "proxy-config.json:1: Expecting value" in said[0]["reason"]
            client = await s.post({})
            assert bytes(await client.receive_some(100)).startswith(b"HTTP/1.1 401")
            await client.aclose()


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is listened on, loopback as in every test, counts as an address that other machines may reach."""
    monkeypatch.setattr(lifecycle, "beyond_loopback", tuple)


@pytest.mark.usefixtures("others")
async def test_going_without_a_token_among_others_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start, with the address; and what to do about it. With a token there is nothing to tell."""

    async def nobody(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    said = Said(capsys)
    with trio.fail_after(60):
        async with served(tmp_path, nobody) as s:
            await said.until("no token is asked for")
            assert f"warning: 127.0.0.1:{s.port} may be reached from other machines" in said.log
            assert "piproxy config set authToken -" in said.log
        async with served(tmp_path, nobody, auth_token="t0ken"):
            pass
    assert "may be reached" not in capsys.readouterr().err


@pytest.mark.usefixtures("others")
async def test_a_token_that_is_taken_away_among_others_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGHUP does what the file says, and says what that means."""

    async def nobody(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    path = tmp_path / "proxy-config.json"
    path.write_text('{"authToken": "t0ken"}')
    said = Said(capsys)
    with trio.fail_after(60):
        async with served(tmp_path, nobody) as s:
            path.write_text("{}")
            os.kill(os.getpid(), signal.SIGHUP)
            await said.until("no token is asked for")
            assert f"warning: 127.0.0.1:{s.port} may be reached" in said.log
            said.log = ""
            path.write_text('{"authToken": "t0ken"}')
            os.kill(os.getpid(), signal.SIGHUP)
            await said.until("were read again")
            assert "no token is asked for" not in said.log


async def test_another_host_in_the_file_does_not_open_a_loopback_bind(tmp_path: Path) -> None:
    """What is listened on changes with the next start only, and so do the rules for who may ask there."""

    async def nobody(_: Conversation) -> None:
        await trio.sleep_forever()

    path = tmp_path / "proxy-config.json"
    path.write_text("{}")
    async with gateway(tmp_path, nobody) as g:
        path.write_text('{"host": "0.0.0.0"}')
        g.engine.reload()
        assert g.engine.settings.host == "0.0.0.0"
        client = g.client()
        assert (await client.ask("GET", "/v1/models", host="evil.example")).status == 403
        await client.leave()


async def test_settings_that_were_not_changed_are_in_force(tmp_path: Path) -> None:
    """The guards and the limits are those from before."""

    async def nobody(_: Conversation) -> None:
        await trio.sleep_forever()

    (tmp_path / "proxy-config.json").write_text('{"authToken": "t0ken", "maxConcurrency": 3}')
    async with gateway(tmp_path, nobody) as g:
        (tmp_path / "proxy-config.json").write_text("{")
        with pytest.raises(ConfigError):
            g.engine.reload()
        client = g.client()
        assert (await client.ask("GET", "/v1/models")).status == 401
        assert (await client.ask("GET", "/v1/models", authorization="Bearer t0ken")).status == 200
        await client.leave()
