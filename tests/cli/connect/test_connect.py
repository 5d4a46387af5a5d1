"""``piproxy connect``: what is printed works, what is written leaves the rest alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fakes.command import Home

from piproxy.cli.connect.clients import CLIENTS, zed_variable
from piproxy.cli.connect.flat import set_env, set_list, set_yaml
from piproxy.cli.connect.jsonc import loads
from piproxy.errors import ConfigError

GREETING = "Hello from piproxy. You said: Hi!"


@pytest.fixture
def demo(home: Home) -> Home:
    """A home in which only the demo provider has models."""
    home.environ["PI_PROXY_DEMO"] = "true"
    return home


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_is_told_where_and_what(demo: Home, client: str) -> None:
    """The settings name the address, a model and a key; the token is only shown when asked for."""
    demo.environ |= {"PI_PROXY_AUTH_TOKEN": "hunter2", "PI_PROXY_PORT": "5005"}
    done = demo.piproxy("connect", client, "--model", "echo")
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:5005/v1" in done.stdout
    assert client == "open-webui" or "echo" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    revealed = demo.piproxy("connect", client, "--reveal")
    assert "hunter2" in revealed.stdout + revealed.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_writing_twice_is_writing_once(demo: Home, client: str) -> None:
    """A new file is for its owner alone; the second time nothing changes, and what it was is kept."""
    path = demo.path / "settings"
    said = demo.piproxy("connect", client, "--write", "--file", str(path))
    assert said.stdout == f"wrote {path}\n"
    first = path.read_text()
    assert "http://127.0.0.1:4141/v1" in first
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o600
    assert demo.piproxy("connect", client, "--write", "--file", str(path)).stdout == f"{path}: up to date\n"
    assert path.read_text() == first
    assert [file.name for file in demo.path.glob("settings*")] == ["settings"]


def test_what_was_there_is_kept(demo: Home) -> None:
    """The user's own file is never lost, however often we write; beside it is what was there the last time."""
    path = demo.path / ".env"
    for token in ("one", "two", "three"):
        path.touch()
        if token == "one":
            path.write_bytes(b"MINE=1\r\n")
        demo.environ["PI_PROXY_AUTH_TOKEN"] = token
        said = demo.piproxy("connect", "curl", "--write").stdout
        kept = ".env.piproxy-backup" if token == "one" else ".env.piproxy-previous"
        assert said == f"wrote {path}\nwhat it was: {path.with_name(kept)}\n"
    assert path.with_name(".env.piproxy-backup").read_bytes() == b"MINE=1\r\n"
    assert b'OPENAI_API_KEY="two"\r\n' in path.with_name(".env.piproxy-previous").read_bytes()
    assert path.read_bytes().startswith(b"MINE=1\r\nOPENAI_BASE_URL=")


def test_the_address_is_that_of_the_running_proxy(demo: Home) -> None:
    """A proxy on another port is found, and the printed curl command gets an answer from it."""
    curl = shutil.which("curl")
    assert curl
    with demo.serving():
        script = demo.piproxy("connect", "curl", "--model", "echo").stdout
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == GREETING


def test_the_models_are_those_of_a_running_demo(home: Home) -> None:
    """Nothing but ``piproxy --demo`` runs: its models are offered, unless they are not wanted."""
    with home.serving("--demo"):
        assert '"echo"' in home.piproxy("connect", "curl").stdout
        done = home.piproxy("connect", "curl", "--no-demo")
    assert done.returncode == 2
    assert "There is no model to offer" in done.stderr


@contextmanager
def elsewhere(home: Home, *options: str) -> Iterator[None]:
    """A proxy that runs and does not listen on plain HTTP."""
    command = [sys.executable, "-m", "piproxy", *options]
    with subprocess.Popen(command, env=dict(home.environment()), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "listens on" in process.stdout.readline()
            yield
        finally:
            process.kill()


@pytest.mark.skipif(os.name != "posix", reason="unix sockets")
def test_a_proxy_on_a_unix_socket_alone(demo: Home) -> None:
    """curl is told the socket and gets an answer; a client that takes only an address is not told a wrong one."""
    socket = demo.path / "s"
    with elsewhere(demo, "--unix", str(socket)):
        script = demo.piproxy("connect", "curl", "--model", "echo").stdout
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert GREETING in done.stdout
        for client, option in (("aider", "--write"), ("openai-python", "--reveal"), ("curl", "--write")):
            refused = demo.piproxy("connect", client, option)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert f"on the unix socket {socket} alone" in refused.stderr


def test_a_proxy_with_its_own_certificate(demo: Home) -> None:
    """curl is told which authority to trust and gets an answer; for the others it is said."""
    with elsewhere(demo, "--tls-self-signed", "--port", "0"):
        script = demo.piproxy("connect", "curl", "--model", "echo")
        done = subprocess.run(["sh", "-c", script.stdout], capture_output=True, text=True, check=True)
        assert (GREETING in done.stdout, script.stderr) == (True, "")
        said = demo.piproxy("connect", "openai-python").stderr
        assert f"{demo.agent}/piproxy-tls/ca.pem" in said
        assert "SSL_CERT_FILE" in said


def test_the_python_program_runs(demo: Home) -> None:
    """The printed program asks the proxy through the OpenAI SDK."""
    with demo.serving("--auth-token", "hunter2"):
        demo.environ["PI_PROXY_AUTH_TOKEN"] = "hunter2"
        program = demo.piproxy("connect", "openai-python", "--model", "echo", "--reveal").stdout
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{GREETING}\n", done.stderr


def test_usual_places(demo: Home) -> None:
    """Files are where the clients look for them."""
    for client, path in (
        ("aider", ".aider.conf.yml"),
        ("continue", ".continue/config.yaml"),
        ("zed", ".config/zed/settings.json"),
        ("opencode", ".config/opencode/opencode.json"),
        ("openai-python", ".env"),
    ):
        assert demo.piproxy("connect", client, "--write").stdout == f"wrote {demo.path / path}\n"
    found = json.loads((demo.path / ".config/opencode/opencode.json").read_text())
    assert found["provider"]["piproxy"]["models"]["echo"]["tool_call"] is True


def test_zed_is_kept_in_step(demo: Home) -> None:
    """Comments stay; the list follows the exposed models; nothing is written when nothing changed."""
    path = demo.path / ".config" / "zed" / "settings.json"
    path.parent.mkdir(parents=True)
    path.write_text('{\n  // mine\n  "theme": "One",\n}\n')
    first = demo.piproxy("connect", "zed", "--sync").stdout
    assert "added: echo," in first
    text = path.read_text()
    assert text.startswith('{\n  // mine\n  "theme": "One",\n  "language_models": {')
    listed = loads(text)["language_models"]["openai_compatible"]["Pi Proxy"]["available_models"]
    assert listed[0]["name"] == "echo"
    assert set(listed[0]["capabilities"]) == {
        "tools", "images", "parallel_tool_calls", "prompt_cache_key", "chat_completions"
    }  # fmt: skip
    before = path.stat().st_mtime_ns
    assert "up to date" in demo.piproxy("connect", "zed", "--sync").stdout
    assert path.stat().st_mtime_ns == before
    demo.environ |= {"PI_PROXY_MODEL_EXPOSURE_MODE": "custom", "PI_PROXY_CUSTOM_MODELS": "demo/echo"}
    assert "removed: " in demo.piproxy("connect", "zed", "--sync").stdout
    assert "up to date, 1 models" in demo.piproxy("connect", "zed", "--sync").stdout


ZED_MODEL = {"name": str, "display_name": str, "max_tokens": int, "max_output_tokens": int, "capabilities": dict}
"""Of what Zed's source declares, that which we write: ``name`` and ``max_tokens`` have to be there."""
ZED_CAPABILITIES = {"tools", "images", "parallel_tool_calls", "prompt_cache_key", "chat_completions"}
"""All but the last have to be there."""


def test_zed_knows_every_word(demo: Home) -> None:
    """The entry has the members that Zed declares, with the types that it declares, and no other."""
    demo.piproxy("connect", "zed", "--write")
    settings = json.loads((demo.path / ".config" / "zed" / "settings.json").read_text())
    entry = settings["language_models"]["openai_compatible"]["Pi Proxy"]
    assert set(entry) == {"api_url", "available_models"}
    for model in entry["available_models"]:
        assert {key: type(value) for key, value in model.items()} == ZED_MODEL
        assert set(model["capabilities"]) == ZED_CAPABILITIES
        assert all(type(value) is bool for value in model["capabilities"].values())


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("Pi Proxy", "PI_PROXY_API_KEY"),
        ("my-gateway", "MY_GATEWAY_API_KEY"),
        ("MyProxy", "MY_PROXY_API_KEY"),
        ("HTTPProxy", "HTTP_PROXY_API_KEY"),
    ],
)
def test_zed_finds_its_key(provider: str, variable: str) -> None:
    """The variable is named as Zed names it: upper snake case of the provider's name."""
    assert zed_variable(provider) == variable


def test_zed_follows_by_itself_only_when_told(demo: Home) -> None:
    """``--auto``, which pi calls when it starts, does nothing unless the settings say so."""
    assert demo.piproxy("connect", "zed", "--auto").stdout == ""
    demo.write("proxy-config.json", {"zed": {"providerName": "Mine", "autoSync": True}})
    assert "added: echo," in demo.piproxy("connect", "zed", "--auto").stdout
    assert '"Mine": {' in (demo.path / ".config" / "zed" / "settings.json").read_text()


def test_what_cannot_be_done_is_said(demo: Home) -> None:
    """A broken file is not touched, an unknown model and an empty list are named, and sync is Zed's."""
    broken = demo.path / "settings.json"
    broken.write_text('{"a": 1,\n b}')
    done = demo.piproxy("connect", "zed", "--write", "--file", str(broken))
    assert (done.returncode, done.stderr) == (2, f"piproxy: {broken}: line 2 is not JSON\n")
    assert broken.read_text() == '{"a": 1,\n b}'
    assert demo.piproxy("connect", "aider", "--sync").returncode == 2
    done = demo.piproxy("connect", "curl", "--model", "nothing")
    assert (done.returncode, done.stderr) == (2, "piproxy: nothing: no such model; piproxy models lists them.\n")
    demo.environ["PI_PROXY_DEMO"] = "false"
    done = demo.piproxy("connect", "curl")
    assert (done.returncode, "no provider has a usable credential" in done.stderr) == (2, True)


def test_env_lines() -> None:
    """A variable is replaced in its place, exported or not; new ones follow."""
    text = "A=1\nexport OPENAI_API_KEY=old\nB=2"
    assert set_env(text, {"OPENAI_API_KEY": "new", "C": "3"}) == 'A=1\nexport OPENAI_API_KEY="new"\nB=2\nC="3"\n'
    assert set_env("A='#1' # mine\n", {"A": "2"}) == 'A="2" # mine\n'


@pytest.mark.skipif(os.name != "posix", reason="a shell reads it")
def test_env_values() -> None:
    """A shell reads every token as it is."""
    for token in ("plain", "pa$$word`x`", "back\\slash", "it's", 'say "hi"'):
        program = set_env("", {"TOKEN": token}) + 'printf %s "$TOKEN"'
        assert subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True).stdout == token


def test_yaml_lines() -> None:
    """A key at the top level is replaced; comments and nested keys of that name stay."""
    text = "# model: x\nmodel: gpt\nother:\n  model: y\n"
    assert set_yaml(text, {"model": "a"}) == '# model: x\nmodel: "a"\nother:\n  model: y\n'
    for old in ("gpt", '"g#t"', "'g # t'", ""):
        assert set_yaml(f"model: {old} # mine\n", {"model": "a"}) == 'model: "a" # mine\n'
    for old in ("model: >-\n  gpt\n", "model:\n  gpt\n", "model:\n- gpt\n"):
        with pytest.raises(ConfigError, match="on one line first"):
            set_yaml(old, {"model": "a"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "models:\n  BEGIN\n  - new\n  END\n"),
        ("name: x\nmodels: []\n", "name: x\nmodels:\n  BEGIN\n  - new\n  END\n"),
        ("models:\n- name: old\nx: 1\n", "models:\nBEGIN\n- new\nEND\n- name: old\nx: 1\n"),
        ("models: # mine\n    - name: old\n", "models: # mine\n    BEGIN\n    - new\n    END\n    - name: old\n"),
    ],
)
def test_yaml_lists(before: str, after: str) -> None:
    """Our members stand in a marked block, indented as the others; a second time the block is replaced."""
    once = set_list(before, "models", "- new")
    marked = once.replace("# piproxy: these lines are written by `piproxy connect`", "BEGIN")
    assert marked.replace("# piproxy: end", "END") == after
    assert set_list(once, "models", "- new") == once


def test_a_list_in_one_line_is_left_alone() -> None:
    """What would need a YAML parser is refused with the next step."""
    with pytest.raises(ConfigError, match="lines of their own"):
        set_list("models: [{name: x}]\n", "models", "- new")
