"""The token of proxy-config.json, by the whole program: it is not lost, and whoever goes without is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fakes.command import Home
from fakes.readme import port_of

UNUSABLE = [
    ({"authToken": 12345678, "host": "0.0.0.0", "port": 4344}, "authToken: the value is not a string"),
    ({"authtoken": "s3cret"}, "authtoken: unknown key (did you mean authToken?)"),
    ({"auth-token": "s3cret"}, "auth-token: unknown key (did you mean authToken?)"),
]


def status(line: str) -> int:
    """What a client without a token gets."""
    try:
        with urlopen(f"http://127.0.0.1:{port_of(line)}/v1/models") as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def stopped(process: subprocess.Popen[str]) -> str:
    """The log of a proxy that is told to stop."""
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    log = process.stderr.read()
    assert process.wait(20) == 0
    return log


@pytest.mark.parametrize(("content", "says"), UNUSABLE)
def test_a_token_that_cannot_be_used_stops_the_start(home: Home, content: object, says: str) -> None:
    """The exit code is that of other bad settings; everything but serving goes on, and says it."""
    path = home.write("proxy-config.json", content)
    home.environ["OPENAI_API_KEY"] = "sk-0123456789"
    for command in ([], ["serve", "--workers", "2"], ["serve", "--host", "127.0.0.1", "--port", "0"]):
        done = home.piproxy(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"piproxy: {path}: {says}")
        assert "PI_PROXY_AUTH_TOKEN or --auth-token" in done.stderr
    for command in (["config", "show"], ["models"]):
        done = home.piproxy(*command)
        assert done.returncode == 0
        assert f"{path}: {says}" in done.stderr
        assert "piproxy does not start with it" in done.stderr
        assert "strictness" in done.stdout or "gpt-" in done.stdout
    findings = json.loads(home.piproxy("doctor", "--json").stdout)
    (error,) = [finding for finding in findings if "piproxy does not start with it" in finding["what"]]
    assert error["level"] == "error"
    assert "--auth-token" in error["next_step"]
    assert "s3cret" not in json.dumps(findings)


@pytest.mark.parametrize("by_flag", [False, True])
def test_a_token_from_elsewhere_starts_it(home: Home, *, by_flag: bool) -> None:
    """With the warning, and with that token."""
    home.write("proxy-config.json", {"auth_token": "s3cret"})
    if not by_flag:
        home.environ["PI_PROXY_AUTH_TOKEN"] = "t0ken"
    with home.serving("--demo", *(("--auth-token", "t0ken") if by_flag else ())) as (line, process):
        assert status(line) == 401
        log = stopped(process)
    assert " warning: " in log
    assert "auth_token: unknown key (did you mean authToken?)" in log
    assert f"{'--auth-token' if by_flag else 'PI_PROXY_AUTH_TOKEN'} is used" in log


def test_a_broken_file_opens_nothing_to_others(home: Home) -> None:
    """It is served with the defaults, at home; beyond that not at all."""
    path = home.write("proxy-config.json", '{"authToken": "s3cret",')
    with home.serving("--demo") as (line, process):
        assert status(line) == 200
        assert f"warning: {path}:1: " in stopped(process)
    done = home.piproxy("--demo", "--host", "0.0.0.0", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"piproxy: {path}:1: ")
    assert "nobody knows whether it asks for a token, and piproxy does not listen on 0.0.0.0:0 without" in done.stderr


def test_at_home_nobody_is_warned(home: Home, tmp_path: Path) -> None:
    """Neither on a loopback address nor on a unix socket, whatever the host."""
    with home.serving("--demo", "--host", "localhost") as (_, process):
        assert "warning" not in stopped(process)
    command = [sys.executable, "-m", "piproxy", "--demo", "--unix", str(tmp_path / "s"), "--host", "0.0.0.0"]
    with subprocess.Popen(command, env=dict(home.environment()), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert "http+unix:" in process.stdout.readline()
        assert "warning" not in stopped(process)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"host": "0.0.0.0", "port": 0}, "0.0.0.0:0"),
        ({"bind": "127.0.0.1:0,[::]:0"}, "[::]:0"),
        ({"bind": "127.0.0.1:0"}, ""),
        ({"host": "0.0.0.0", "port": 0, "auth_token": "t0ken"}, ""),
    ],
)
def test_doctor_finds_a_proxy_without_a_token_among_others(home: Home, where: dict[str, object], told: str) -> None:
    """As a warning, with the next step."""
    home.environ |= {f"PI_PROXY_{name.upper()}": str(value) for name, value in where.items()}
    findings = json.loads(home.piproxy("doctor", "--demo", "--json").stdout)
    found = [finding for finding in findings if "may be reached from other machines" in finding["what"]]
    if told:
        assert [(finding["level"], finding["what"].partition(" ")[0]) for finding in found] == [("warning", told)]
        assert "openssl rand -hex 16 | piproxy config set authToken -" in found[0]["next_step"]
    else:
        assert found == []
