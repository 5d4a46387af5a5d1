"""``piproxy service``: the files, and who is asked to use them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
from fakes.command import Home

from piproxy.cli.service import launchd, systemd

LAUNCHD = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "ExitTimeOut": int,
    "ProcessType": str,
}
"""Keys of launchd.plist(5) and their types, those that are used."""


def test_a_systemd_unit() -> None:
    """The unit starts this Python's piproxy with what it needs of the environment; wrong settings are not retried."""
    manager = systemd(Path("/home/me/.config"), {"PATH": "/usr/bin", "PI_CODING_AGENT_DIR": '/a b/100%$"'}, 30)
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(manager.text)
    assert unit["Service"]["ExecStart"] == f'"{sys.executable}" -m piproxy serve'
    assert 'Environment="PATH=/usr/bin"\n' in manager.text
    assert r'Environment="PI_CODING_AGENT_DIR=/a b/100%%$\""' in manager.text
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    assert unit["Install"]["WantedBy"] == "default.target"
    assert manager.path == Path("/home/me/.config/systemd/user/piproxy.service")


def test_systemd_understands_every_line(home: Home) -> None:
    """systemd, where it is here, has nothing to say about the unit."""
    done = home.piproxy("service", "install", "--no-start")
    unit = Path(done.stdout.removeprefix("wrote ").strip())
    assert unit.is_file()
    if program := shutil.which("systemd-analyze"):
        environ = {"HOME": str(home.path), "XDG_RUNTIME_DIR": str(home.path)}
        command = [program, "verify", "--user", str(unit)]
        told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert "piproxy" not in told.stderr


def test_a_service_that_would_not_start_is_not_installed(home: Home) -> None:
    """It has the token of the file alone, whatever this shell knows; nothing is written."""
    path = home.write("proxy-config.json", {"authToken": 5})
    home.environ["PI_PROXY_AUTH_TOKEN"] = "t0ken"
    done = home.piproxy("service", "install")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"piproxy: {path}: authToken: the value is not a string")
    assert not (home.path / ".config" / "systemd").exists()


def test_a_launchd_agent() -> None:
    """The agent is a property list that starts the same command and again after a crash only."""
    manager = launchd(Path("/Users/me"), {"PATH": "/usr/bin"}, Path("/Users/me/.pi/agent"), 30)
    agent = plistlib.loads(manager.text.encode())
    assert agent["ProgramArguments"] == [sys.executable, "-m", "piproxy", "serve"]
    assert agent["EnvironmentVariables"] == {"PATH": "/usr/bin"}
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert {key: type(value) for key, value in agent.items()} == LAUNCHD
    assert agent["StandardErrorPath"] == "/Users/me/.pi/agent/proxy.log"
    assert manager.path == Path("/Users/me/Library/LaunchAgents/dev.pi.piproxy.plist")


@pytest.fixture
def unit(home: Home) -> Path:
    """Where the unit goes; ``systemctl`` is one that notes how it was called."""
    bin_dir = home.path / "bin"
    bin_dir.mkdir()
    fake = bin_dir / "systemctl"
    fake.write_text(
        f'#!/bin/sh\necho "$@" >> {home.path}/calls\n[ ! -e {home.path}/broken ] || {{ echo no bus >&2; exit 1; }}\n'
    )
    fake.chmod(0o755)
    home.environ["PATH"] = f"{bin_dir}:/usr/bin:/bin"
    return home.path / ".config" / "systemd" / "user" / "piproxy.service"


def test_install_and_uninstall(home: Home, unit: Path) -> None:
    """Installing writes and starts, uninstalling stops and removes; a second time there is nothing to do."""
    printed = home.piproxy("service", "install", "--print").stdout
    assert not unit.exists()
    done = home.piproxy("service", "install")
    assert done.stdout.splitlines()[0] == f"wrote {unit}"
    assert unit.read_text() == printed
    assert home.piproxy("service", "uninstall").stdout == f"removed {unit}\n"
    assert not unit.exists()
    assert "nothing is installed" in home.piproxy("service", "uninstall").stdout
    assert (home.path / "calls").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable piproxy.service",
        "--user restart piproxy.service",
        "--user disable --now piproxy.service",
        "--user daemon-reload",
    ]


def test_a_manager_that_refuses_is_quoted(home: Home, unit: Path) -> None:
    """What systemctl says is passed on; the file alone can still be written."""
    (home.path / "broken").touch()
    done = home.piproxy("service", "install")
    assert (done.returncode, "failed: no bus" in done.stderr) == (2, True)
    assert "--no-start leaves systemctl alone" in done.stderr
    assert home.piproxy("service", "install", "--no-start").returncode == 0
    assert unit.exists()
    done = home.piproxy("service", "uninstall")
    assert (done.returncode, "--no-stop leaves systemctl alone" in done.stderr) == (2, True)
    assert home.piproxy("service", "uninstall", "--no-stop").stdout == f"removed {unit}\n"
    assert not unit.exists()


def test_a_stop_has_the_time_that_answers_have(home: Home) -> None:
    """The system kills only well after the setting drainSec."""
    assert "TimeoutStopSec=30\n" in home.piproxy("service", "install", "--print").stdout
    home.piproxy("config", "set", "drainSec", "600")
    assert "TimeoutStopSec=620\n" in home.piproxy("service", "install", "--print").stdout
