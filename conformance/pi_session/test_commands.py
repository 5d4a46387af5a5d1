"""``/proxy …`` in the real pi, driven in RPC mode."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from conformance.pi_session.pis import Session, alive, wait_for

CHECKOUT = Path(__file__).parents[2]


def test_the_command_is_there(session: Session) -> None:
    """pi loads the extension and lists its command; help names every subcommand."""
    with session.rpc() as pi:
        assert pi.commands()["proxy"]["source"] == "extension"
        said = pi.prompt("/proxy help", kind="info")
        for name in ("config", "start", "stop", "status", "show", "models", "verify", "path", "reset", "help"):
            assert f"/proxy {name} " in said
        assert "no such command" in pi.prompt("/proxy dance", kind="warning")


def test_start_status_stop(session: Session) -> None:
    """A proxy that the session starts serves, is shown as its own, and stops when told."""
    with session.rpc() as pi:
        assert "nobody listens" in pi.prompt("/proxy status", kind="info")
        assert pi.prompt("/proxy stop", kind="info") == "No proxy runs."
        said = pi.prompt("/proxy start", kind="info")
        assert f"listens on {session.url}, process" in said
        assert "ends with this session" in said
        assert "already runs" in pi.prompt("/proxy start", kind="info")
        assert session.status()["running"]
        assert "started by this session" in pi.prompt("/proxy status", kind="info")
        assert pi.prompt("/proxy stop", kind="info") == f"The proxy at {session.url} has stopped."
        assert not session.status()["running"]


def test_the_foot_of_the_screen(session: Session) -> None:
    """The status line says where the proxy is, and is empty without one."""
    with session.rpc("--proxy") as pi:
        assert re.fullmatch(rf"proxy: {session.url} \(\d+ models\)", pi.footer() or "")
        pi.send({"type": "prompt", "message": "/proxy stop", "id": "stop"})
        assert pi.footer() is None


def test_the_flag_starts_it_and_it_dies_with_the_session(session: Session) -> None:
    """``pi --proxy`` starts the proxy; when pi ends in order, so does the proxy."""
    with session.rpc("--proxy") as pi:
        assert "listens on" in pi.notified("info")
        pid = session.status()["pid"]
        assert alive(pid)
    wait_for("the proxy to end with pi", lambda: not alive(pid))


def test_it_dies_with_a_pi_that_is_killed(session: Session) -> None:
    """A pi that has no time to say goodbye takes its proxy along."""
    with session.rpc("--proxy") as pi:
        assert "listens on" in pi.notified("info")
        pid = session.status()["pid"]
        pi.process.kill()
        wait_for("the proxy to end with pi", lambda: not alive(pid))


def test_a_suspended_pi_does_not_suspend_it(session: Session) -> None:
    """Ctrl+Z stops every process in pi's group; the proxy is in one of its own."""
    with session.rpc("--proxy") as pi:
        assert "listens on" in pi.notified("info")
        assert os.getpgid(session.status()["pid"]) != os.getpgid(pi.process.pid)


def test_what_is_about_to_start_is_stopped(session: Session) -> None:
    """A stop while the proxy is starting waits for it, and ends it."""
    hold = session.hold("serve")
    with session.rpc("--proxy") as pi:
        wait_for("the start", hold.asked.exists)
        pi.send({"type": "prompt", "message": "/proxy stop", "id": "stop"})
        hold.go.touch()
        said = "\n".join(sorted((pi.notified("info"), pi.notified("info"))))
        assert f"The proxy at {session.url} has stopped." in said
        assert "listens on" in said
        assert not session.status()["running"]


def test_a_new_session_of_the_same_pi_keeps_it(session: Session) -> None:
    """``/new`` and the like change the conversation, not the proxy."""
    with session.rpc("--proxy") as pi:
        assert "listens on" in pi.notified("info")
        pid = session.status()["pid"]
        assert session.url in pi.prompt("/proxy status")
        assert session.url in (pi.footer() or "")
        pi.send({"type": "new_session", "id": "new"})
        assert pi.answered("new_session")["success"] is True
        assert session.url in (pi.footer() or "")
        assert session.status()["pid"] == pid
        assert "has stopped" in pi.prompt("/proxy stop")


def test_a_proxy_outside_is_left_alone(session: Session) -> None:
    """A proxy that the session did not start is shown, and neither started again nor stopped."""
    outside = session.outside()
    with session.rpc() as pi:
        assert f"{session.url}" in (pi.footer() or "")
        assert "outside this session" in pi.prompt("/proxy status", kind="info")
        said = pi.prompt("/proxy start", kind="info")
        assert f"already runs at {session.url}, process {outside.pid}, outside this session" in said
        assert "left alone" in pi.prompt("/proxy stop", kind="warning")
    assert outside.poll() is None
    assert session.status()["running"]


def test_a_detached_proxy_outlives_pi(session: Session) -> None:
    """With the setting lifetime on detached the proxy goes on; the next session finds it outside."""
    session.piproxy("config", "set", "lifetime", "detached")
    with session.rpc() as pi:
        assert "goes on when pi ends" in pi.prompt("/proxy start", kind="info")
        pid = session.status()["pid"]
    try:
        assert session.status()["pid"] == pid
        with session.rpc() as pi:
            assert "outside this session" in pi.prompt("/proxy status", kind="info")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for("the proxy to stop", lambda: not alive(pid))


def test_a_taken_port_is_said(session: Session) -> None:
    """Another program on the port is named, with the next step."""
    with socket.create_server(("127.0.0.1", int(session.port))), session.rpc() as pi:
        said = pi.prompt("/proxy start", kind="error")
        assert f"127.0.0.1:{session.port}" in said
        assert "/proxy config" in said


def test_a_missing_program_is_said(session: Session) -> None:
    """Without piproxy the commands say how to get it, and pi itself starts as always."""
    (session.agent / "extensions" / "piproxy" / "installed-by.json").unlink()
    with session.rpc(environ={"PATH": "/usr/bin:/bin"}) as pi:
        said = pi.prompt("/proxy status", kind="error")
        assert "piproxy was not found" in said
        assert "pipx install piproxy" in said
    with session.rpc(environ={"PIPROXY_BIN": "/nowhere/piproxy"}) as pi:
        assert "PIPROXY_BIN is /nowhere/piproxy" in pi.prompt("/proxy start", kind="error")


def test_the_installer_is_remembered(session: Session) -> None:
    """A piproxy that is not on PATH is found, because it noted itself when it installed the extension."""
    with session.rpc(environ={"PATH": "/usr/bin:/bin"}) as pi:
        assert "nobody listens" in pi.prompt("/proxy status", kind="info")


@pytest.mark.parametrize("lifetime", ["session", "detached"])
def test_a_crash_at_the_start_is_said(session: Session, lifetime: str) -> None:
    """A proxy that refuses to start gives its own reason, not a time-out."""
    session.piproxy("config", "set", "lifetime", lifetime)
    session.piproxy("config", "set", "host", "192.0.2.1")
    with session.rpc() as pi:
        said = pi.prompt("/proxy start", kind="error")
        assert said.startswith("The proxy did not start: Cannot listen on 192.0.2.1:")


def test_a_proxy_that_ends_by_itself_is_said(session: Session) -> None:
    """When the proxy dies under the session, the session says so."""
    with session.rpc("--proxy") as pi:
        assert "listens on" in pi.notified("info")
        os.kill(session.status()["pid"], signal.SIGKILL)
        assert "ended by itself" in pi.notified("error")
        assert "listens on" in pi.prompt("/proxy start", kind="info")


def test_a_checkout_installs(session: Session) -> None:
    """``pi install`` of a checkout gives the same commands, and ``pi remove`` takes them away again."""
    session.piproxy("pi", "uninstall")
    with session.rpc() as pi:
        assert "proxy" not in pi.commands()
    assert "Installed" in session.run("install", str(CHECKOUT))
    with session.rpc() as pi:
        where = pi.commands()["proxy"]["sourceInfo"]["path"]
        assert Path(where) == CHECKOUT / "src" / "piproxy" / "pi_extension" / "proxy.ts"
        assert "nobody listens" in pi.prompt("/proxy status", kind="info")
    session.run("remove", str(CHECKOUT))
    with session.rpc() as pi:
        assert "proxy" not in pi.commands()


def test_show_masks_the_token(session: Session) -> None:
    """The settings in short; the token is not among them."""
    session.piproxy("config", "set", "authToken", "hunter2")
    with session.rpc() as pi:
        said = pi.prompt("/proxy show", kind="info")
        assert f"port {session.port}, token ********" in said
        assert "models: all, ids collision-prefixed" in said
        assert "hunter2" not in said
        assert "listens on" in pi.prompt("/proxy start", kind="info")
        assert "started by this session" in pi.prompt("/proxy status", kind="info")


def test_broken_settings_are_said(session: Session) -> None:
    """A proxy-config.json that somebody broke by hand is named by what shows settings, and left as it is."""
    (session.agent / "proxy-config.json").write_text('{"port": 41', encoding="utf-8")
    with session.rpc() as pi:
        said = pi.prompt("/proxy show", kind="warning")
        assert f"{session.agent}/proxy-config.json:1: " in said
        assert "the defaults are used" in said
        assert "mend or remove the file first" in pi.prompt("/proxy reset", kind="error")
    assert (session.agent / "proxy-config.json").read_text(encoding="utf-8") == '{"port": 41'


def test_models_verify_path_reset(session: Session) -> None:
    """Models by provider, the doctor's findings, the path of the settings, and the defaults again after a question."""
    with session.rpc() as pi:
        said = pi.prompt("/proxy models", kind="info")
        assert re.search(r"^demo: .*echo", said, re.MULTILINE)
        assert "openai: " in said
        session.piproxy("config", "set", "port", session.port)
        assert "All is well." in pi.prompt("/proxy verify")
        session.piproxy("config", "set", "scopedProviders", "nobody")
        session.piproxy("config", "set", "modelExposureMode", "scoped")
        assert "none of scopedProviders (nobody)" in pi.prompt("/proxy verify", kind="error")
        assert pi.prompt("/proxy path").startswith(f"{session.agent}/proxy-config.json")
        assert "defaults apply" in pi.prompt("/proxy reset", confirm=True)
        assert session.config() == {}


def test_config_needs_a_terminal(session: Session) -> None:
    """Without a terminal the panel is not shown, and what to use instead is said."""
    with session.rpc() as pi:
        assert "needs a terminal" in pi.prompt("/proxy", kind="warning")
        assert "needs a terminal" in pi.prompt("/proxy config", kind="warning")


def test_zed_is_kept_in_step(session: Session) -> None:
    """With autoSync, starting the proxy brings Zed's list of models up to date; without it Zed's file stays away."""
    with session.rpc() as pi:
        assert "listens on" in pi.prompt("/proxy start", kind="info")
        assert "has stopped" in pi.prompt("/proxy stop", kind="info")
        zed = session.home / ".config" / "zed" / "settings.json"
        assert not zed.exists()
        session.piproxy("config", "set", "zed", "providerName=Pi Proxy,autoSync=true")
        assert "listens on" in pi.prompt("/proxy start", kind="info")
        wait_for("Zed's settings", zed.exists)
        assert json.loads(zed.read_text())["language_models"]["openai_compatible"]["Pi Proxy"]["api_url"] == session.url
