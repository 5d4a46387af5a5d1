"""``piproxy serve`` as a program: it starts, answers and stops."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
from fakes.command import Home

from piproxy.wire.demo import MODELS


@contextmanager
def serving(home: Home, *arguments: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """The first line, the base URL in it, and the process."""
    command = [sys.executable, "-m", "piproxy", *arguments]
    with subprocess.Popen(
        command,
        env=dict(home.environment()),
        cwd=home.path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+/v1", line)
            assert found, line + (process.stderr.read() if process.stderr else "")
            yield line, found[0], process
        finally:
            process.kill()


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_demo_is_served(home: Home, command: list[str]) -> None:
    """With and without its name the command says where it listens and what it exposes, answers, and stops at once."""
    with serving(home, *command, "--demo", "--port", "0") as (line, url, process):
        assert f"and exposes {len(MODELS)} models." in line
        body = json.dumps({"model": "demo/echo", "messages": [{"role": "user", "content": "Hi!"}]}).encode()
        with urlopen(Request(f"{url}/chat/completions", body, {"content-type": "application/json"})) as answer:
            said = json.load(answer)
        assert said["choices"][0]["message"]["content"] == "Hello from piproxy. You said: Hi!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_nothing_to_expose_is_said(home: Home) -> None:
    """Without any credential the server starts, and says why it has no models."""
    with serving(home, "--port", "0") as (line, _, process):
        assert "exposes 0 models." in line
        assert process.stdout is not None
        assert "no provider has a usable credential" in process.stdout.readline()


def test_port_in_use_is_said(home: Home) -> None:
    """A taken port ends the start with the next step."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = home.piproxy("--demo", "--port", port)
    assert done.returncode == 2
    assert done.stderr.startswith(f"piproxy: 127.0.0.1:{port} is already in use.")
    assert "--port" in done.stderr
