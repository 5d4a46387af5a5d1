"""``piproxy serve`` as a program: it starts, answers and stops."""

from __future__ import annotations

import json
import signal
import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from fakes.command import Home
from fakes.readme import port_of

from piproxy.wire.demo import MODELS


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_demo_is_served(home: Home, command: list[str]) -> None:
    """With and without its name the command says where it listens and what it exposes, answers, and stops at once."""
    with home.serving(*command, "--demo") as (line, process):
        url = f"http://127.0.0.1:{port_of(line)}/v1"
        assert f"and exposes {len(MODELS)} models." in line
        body = json.dumps({"model": "demo/echo", "messages": [{"role": "user", "content": "Hi!"}]}).encode()
        with urlopen(Request(f"{url}/chat/completions", body, {"content-type": "application/json"})) as answer:
            said = json.load(answer)
        assert said["choices"][0]["message"]["content"] == "Hello from piproxy. You said: Hi!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_the_demo_s_key_is_refused_in_good_words(home: Home) -> None:
    """Whose credential it was that the provider refused: piproxy's own."""
    with home.serving("--demo") as (line, _):
        body = json.dumps({"model": "demo/error-401", "messages": [{"role": "user", "content": "Hi!"}]}).encode()
        url = f"http://127.0.0.1:{port_of(line)}/v1/chat/completions"
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(url, body, {"content-type": "application/json"}))
        with caught.value as answer:
            said = json.load(answer)
    assert answer.code == 502
    assert said["error"]["message"].endswith(" (The credential is built into piproxy.)")


def test_nothing_to_expose_is_said(home: Home) -> None:
    """Without any credential the server starts, and says why it has no models."""
    with home.serving() as (line, process):
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
