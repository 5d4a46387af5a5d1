"""``python -m conformance.connected [CLIENT]``: what ``piproxy connect`` prints and writes, used by the real clients.

Each client gets a home of its own. ``piproxy connect CLIENT --write`` writes there; then the client is run with that
file and nothing else, against a piproxy with the demo provider, and has to show its answer. Programs and commands that
``piproxy connect`` prints are run as they are. Zed is not among them: it cannot be installed from a registry.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from conformance.clients import Environment, environments
from conformance.record import served

ANSWER: Final = "Hello from piproxy. You said: Hi!"
"""What ``demo/echo`` says to the question of all these clients."""
LONGEST: Final = 400
"""Seconds for one program; Open WebUI takes minutes to start."""
_KEPT: Final = ("PATH", "LANG", "PYENV_VERSION", "PYENV_ROOT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
_QUIET: Final = {
    "CI": "1",
    "NO_COLOR": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CONTINUE_TELEMETRY_ENABLED": "0",
    "CONTINUE_CLI_ENABLE_TELEMETRY": "0",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
}
_AIDER: Final = "--no-git --yes-always --no-check-update --analytics-disable --no-show-model-warnings --no-pretty"


@dataclass(frozen=True, slots=True)
class Place:
    """A client's home, and what is installed for it."""

    home: Path
    client: Environment
    environ: dict[str, str]

    def run(self, *command: str, given: str = "", variables: Mapping[str, str] | None = None) -> str:
        """All that the program says."""
        done = subprocess.run(
            command,
            env={**self.environ, **(variables or {})},
            cwd=self.home,
            input=given,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return done.stdout + done.stderr

    def connect(self, client: str, *options: str) -> str:
        """What ``piproxy connect`` prints."""
        command = [sys.executable, "-m", "piproxy", "connect", client, "--demo", "--model", "demo/echo", *options]
        done = subprocess.run(command, env=self.environ, cwd=self.home, capture_output=True, text=True, check=True)
        return done.stdout

    def variables(self) -> dict[str, str]:
        """What a shell gets from the written ``.env``."""
        shown = self.run("sh", "-c", "set -a; . ./.env; env -0")
        wanted = ("OPENAI_", "ENABLE_")
        return dict(line.split("=", 1) for line in shown.split("\0") if line.startswith(wanted))


def _aider(place: Place) -> Iterator[str]:
    yield place.run(f"{place.client.bin}/aider", *_AIDER.split(), "--message", "Hi!")


def _continue(place: Place) -> Iterator[str]:
    config = place.home / ".continue" / "config.yaml"
    yield place.run(f"{place.client.bin}/cn", "-p", "--config", str(config), "Hi!")


def _opencode(place: Place) -> Iterator[str]:
    yield place.run(f"{place.client.bin}/opencode", "run", "-m", "piproxy/echo", "Hi!")


def _open_webui(place: Place) -> Iterator[str]:
    """By the driver: it starts the backend with these variables, and no address means that nothing else is set."""
    driver = Path(__file__).parent / "drivers" / "open_webui.py"
    task = '{"scenario": "greeting", "model": "echo", "base_url": ""}\n'
    variables = {**place.variables(), "CLIENT_BIN": str(place.client.bin)}
    yield place.run(f"{place.client.bin}/python", str(driver), given=task, variables=variables)


def _python(place: Place, name: str, program: str) -> Iterator[str]:
    python = f"{place.client.bin}/python"
    yield place.run(python, "-c", place.connect(name))
    yield place.run(python, "-c", program, variables=place.variables())


def _openai_python(place: Place) -> Iterator[str]:
    asked = "model='echo', messages=[{'role': 'user', 'content': 'Hi!'}]"
    program = f"import openai; print(openai.OpenAI().chat.completions.create({asked}).choices[0].message.content)"
    return _python(place, "openai-python", program)


def _langchain(place: Place) -> Iterator[str]:
    program = "import langchain_openai; print(langchain_openai.ChatOpenAI(model='echo').invoke('Hi!').content)"
    return _python(place, "langchain", program)


def _openai_node(place: Place) -> Iterator[str]:
    folder = place.home / "node_modules"
    folder.symlink_to(place.client.folder / "node_modules")
    program = place.connect("openai-node")
    for name, text, variables in (
        ("printed.mjs", program, {}),
        ("plain.mjs", program.replace(program[program.index("({") : program.index(");") + 1], "()"), place.variables()),
    ):
        (place.home / name).write_text(text, encoding="utf-8")
        yield place.run("node", name, variables=variables)


def _curl(place: Place) -> Iterator[str]:
    yield place.run("sh", given=place.connect("curl"))
    body = '{"model": "echo", "messages": [{"role": "user", "content": "Hi!"}]}'
    ask = 'curl "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" --json "$0"'
    yield place.run("sh", "-c", ask, body, variables=place.variables())


CLIENTS: Final[Mapping[str, Callable[[Place], Iterator[str]]]] = {
    "aider": _aider,
    "continue": _continue,
    "opencode": _opencode,
    "open-webui": _open_webui,
    "langchain": _langchain,
    "openai-python": _openai_python,
    "openai-node": _openai_node,
    "curl": _curl,
}
"""Those of ``piproxy connect`` that can be installed here, and how each is used: what it said, once per way."""


def tried(name: str, port: int) -> list[str]:
    """What was wrong with what ``piproxy connect`` gave this client."""
    known = environments()
    client = known[name]
    client.install()
    with tempfile.TemporaryDirectory(prefix="connected-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        environ = {key: os.environ[key] for key in _KEPT if key in os.environ}
        environ |= {**_QUIET, "HOME": folder, "PI_PROXY_PORT": str(port), "PI_PROXY_CATALOG": "snapshot"}
        if client.npm and "node22" in known:
            known["node22"].install()
            environ["PATH"] = f"{known['node22'].bin}:{environ['PATH']}"
        place = Place(home, client, environ)
        written = place.connect(name, "--write")
        if not written.startswith("wrote "):
            return [written]
        return [f"no answer: {said[-1500:]}" for said in CLIENTS[name](place) if ANSWER not in said]


async def connected(names: Sequence[str]) -> int:
    """Try these clients; the number of those that did not answer."""
    failed = 0
    async with served(1, demo=True) as port:
        for name in names:
            wrong = await trio.to_thread.run_sync(tried, name, port)
            failed += bool(wrong)
            print(
                f"{'WRONG' if wrong else 'ok   '} {name}, with what connect wrote", *wrong, sep="\n        ", flush=True
            )
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", nargs="*", help=f"only these of {', '.join(CLIENTS)}")
    options = parser.parse_args(arguments)
    return 1 if trio.run(partial(connected, options.client or list(CLIENTS))) else 0


if __name__ == "__main__":
    sys.exit(main())
