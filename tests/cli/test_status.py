"""``piproxy status`` and ``piproxy stop``, with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from fakes.command import Home
from fakes.readme import port_of

from piproxy import __version__
from piproxy.server.runfile import RunFile, read_run_file
from piproxy.wire.demo import MODELS


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def say(port: str, model: str) -> None:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi!"}]}).encode()
    request = Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, {"content-type": "application/json"})
    with urlopen(request) as answer:
        assert answer.status == 200


def test_nothing_runs(home: Home) -> None:
    """Where nobody listens the exit code is 3, for people and for programs; there is nothing to stop."""
    home.environ["PI_PROXY_PORT"] = port = free_port()
    done = home.piproxy("status")
    assert (done.returncode, done.stdout) == (3, f"not running: nobody listens at http://127.0.0.1:{port}\n")
    done = home.piproxy("status", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["running"], said["url"]) == (3, False, f"http://127.0.0.1:{port}/v1")
    assert home.piproxy("stop").returncode == 3


def test_a_proxy_is_found_on_any_port(home: Home) -> None:
    """A proxy on another port than the settings say is found, with what it served; stop ends it and its note."""
    with home.serving("--demo") as (line, process):
        port = port_of(line)
        assert read_run_file(home.agent / "proxy.pid") == RunFile(process.pid, f"http://127.0.0.1:{port}")
        say(port, "demo/echo")
        said = json.loads(home.piproxy("status", "--json").stdout)
        assert said["running"]
        assert said["url"] == f"http://127.0.0.1:{port}/v1"
        assert (said["pid"], said["version"], said["models"]) == (process.pid, __version__, len(MODELS))
        assert (said["requests"], said["failed"], said["completion_tokens"]) == (1, 0, 6)
        told = home.piproxy("status").stdout.splitlines()
        assert told[0] == f"piproxy {__version__} runs at http://127.0.0.1:{port}/v1, process {process.pid}"
        assert told[3] == "1 request, 1 token read, 6 written, $0.0000"
        # The test is the parent: until it has waited, the process is still in the table, without a command line.
        done = home.piproxy("stop")
        assert (done.returncode, done.stderr) == (0, "")
        assert process.wait(20) == 0
    assert not (home.agent / "proxy.pid").exists()


def test_two_proxies_of_one_directory(home: Home) -> None:
    """The one that started last is spoken of; when it has stopped, the other one is found again, and stopped."""
    with home.serving("--demo") as (_, first):
        with home.serving("--demo") as (_, second):
            assert json.loads(home.piproxy("status", "--json").stdout)["pid"] == second.pid
            second.terminate()
            assert second.wait(20) == 0
        assert json.loads(home.piproxy("status", "--json").stdout)["pid"] == first.pid
        assert home.piproxy("stop").returncode == 0
        assert first.wait(20) == 0
    assert not (home.agent / "proxy.pid").exists()


def test_all_workers_are_counted(home: Home) -> None:
    """The process is the one that looks after them, the sums are those of all."""
    with home.serving("--demo", "--workers", "2") as (line, process):
        for _ in range(4):
            say(port_of(line), "demo/echo")
        said = json.loads(home.piproxy("status", "--json").stdout)
        assert (said["pid"], said["workers"], said["requests"]) == (process.pid, 2, 4)
        told = home.piproxy("status").stdout.splitlines()
        assert told[0].endswith(f"process {process.pid} with 2 workers")
        assert told[3].startswith("4 requests, ")


def test_another_token_is_said(home: Home) -> None:
    """A proxy that wants a token which the settings do not have is still found by its note."""
    with home.serving("--demo", "--auth-token", "hunter2") as (line, process):
        done = home.piproxy("status")
        assert done.returncode == 0
        assert f"process {process.pid}" in done.stdout
        assert "wants another token" in done.stdout
        home.environ["PI_PROXY_AUTH_TOKEN"] = "hunter2"
        assert "no requests yet" in home.piproxy("status").stdout
        with home.serving("--demo") as (_, later):
            assert json.loads(home.piproxy("status", "--json").stdout)["pid"] == later.pid
        home.environ["PI_PROXY_PORT"] = port_of(line)
        assert json.loads(home.piproxy("status", "--json").stdout)["pid"] == process.pid


def test_a_proxy_that_does_not_answer_is_said(home: Home) -> None:
    """A proxy that hangs has an exit code of its own, for whoever watches it."""
    with home.serving("--demo") as (_, process):
        assert home.piproxy("status").returncode == 0
        process.send_signal(signal.SIGSTOP)
        done = home.piproxy("status")
        process.send_signal(signal.SIGCONT)
        assert done.returncode == 1
        assert f"process {process.pid}" in done.stdout
        assert "does not answer" in done.stdout


def test_an_old_note_is_not_believed(home: Home) -> None:
    """A process id that now belongs to another program is neither shown nor signalled."""
    home.environ["PI_PROXY_PORT"] = free_port()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        home.write("proxy.pid", f"{other.pid}\n{json.dumps({'url': f'http://127.0.0.1:{free_port()}'})}\n")
        assert home.piproxy("status").returncode == 3
        assert home.piproxy("stop").returncode == 3
        assert other.poll() is None
        other.kill()


def test_other_servers_are_named(home: Home) -> None:
    """A server that is not piproxy is not taken for one, and not stopped."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        home.environ["PI_PROXY_PORT"] = str(server.server_port)
        done = home.piproxy("status")
        assert (done.returncode, "another server than piproxy" in done.stdout) == (3, True)
        assert home.piproxy("stop").returncode == 3
        server.shutdown()


def test_a_proxy_ends_with_whoever_started_it(home: Home) -> None:
    """With ``--stop-with-stdin`` the end of standard input stops the proxy, as a signal does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "piproxy", "--demo", "--port", "0", "--stop-with-stdin"],
        env=dict(home.environment()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(20) == 0
    assert not (home.agent / "proxy.pid").exists()


def test_a_directory_that_cannot_be_written_stops_nobody(home: Home) -> None:
    """Without a place for the note the proxy still serves."""
    home.environ["PI_CODING_AGENT_DIR"] = os.devnull
    with home.serving("--demo") as (line, _):
        say(port_of(line), "demo/echo")


@pytest.mark.parametrize("options", [["--tls-self-signed"], ["--workers", "2"], ["--unix", "s"]])
def test_every_way_to_serve_is_found(home: Home, options: list[str]) -> None:
    """With HTTPS, several workers or a unix socket the proxy is found, and stopped as a whole."""
    options = [str(home.path / word) if word == "s" else word for word in options]
    command = [sys.executable, "-m", "piproxy", "--demo", "--port", free_port(), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=dict(home.environment()), stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        said = json.loads(home.piproxy("status", "--json").stdout)
        assert (said["running"], said["pid"], said["version"]) == (True, process.pid, __version__)
        assert home.piproxy("stop").returncode == 0
        assert process.wait(20) == 0
