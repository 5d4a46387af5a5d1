"""What is measured: piproxy, and the peers that are installed below a directory (:func:`install` puts them there)."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

LITELLM: Final = "litellm[proxy]==1.106.2"
NODE_PROXY: Final = "@victor-software-house/pi-openai-proxy"
PORTKEY: Final = "@portkey-ai/gateway"


@dataclass(frozen=True)
class Peer:
    """One proxy. ``command`` is given the port, its own directory and the provider's address."""

    name: str
    version: str
    command: Callable[[int, Path, str], list[str]]
    environ: Callable[[int, Path, str], dict[str, str]] = lambda _port, _directory, _upstream: {}
    model: str = "bench"
    headers: Callable[[str], Mapping[str, str]] = field(default=lambda _upstream: {})
    imports: tuple[str, ...] = ()
    """A command that imports the program and ends."""


def peers(directory: Path) -> list[Peer]:
    """piproxy first, then whatever is installed."""
    found = [piproxy()]
    for make in (_node_proxy, _litellm, _portkey):
        peer = make(directory)
        if peer is not None:
            found.append(peer)
    return found


def install(directory: Path) -> None:
    """All peers, each alone; what cannot be installed is left out, with a word about it."""
    litellm = directory / "litellm"
    if not (litellm / "bin" / "litellm").exists():
        venv.create(litellm, with_pip=True, clear=True)
        _try([str(litellm / "bin" / "pip"), "install", "-q", LITELLM], litellm)
    for name, packages in (("node", (NODE_PROXY, "bun")), ("portkey", (PORTKEY,))):
        folder = directory / name
        if not (folder / "node_modules" / packages[0]).exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text("{}")
            _try(["npm", "install", "--no-fund", "--no-audit", *packages], folder)


def _try(command: list[str], cwd: Path) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        print(f"not installed: {exc}", file=sys.stderr)


def piproxy() -> Peer:
    return Peer(
        name="piproxy",
        version=version("piproxy"),
        command=lambda port, _directory, _upstream: [sys.executable, "-m", "piproxy", "serve", "--port", str(port)],
        environ=_pi,
        imports=(sys.executable, "-c", "import piproxy.server.lifecycle"),
    )


def _pi(port: int, directory: Path, upstream: str) -> dict[str, str]:
    """A directory of pi's with one provider; both proxies that speak pi read it."""
    model = {"id": "bench", "input": ["text", "image"], "contextWindow": 200000, "maxTokens": 8192}
    provider = {"baseUrl": upstream, "api": "openai-completions", "apiKey": "k", "models": [model]}
    (directory / "models.json").write_text(json.dumps({"providers": {"bench": provider}}))
    # The Node proxy reads the size in bytes, piproxy too: both then take the image bodies.
    size = str(50 * 1024 * 1024)
    return {"PI_CODING_AGENT_DIR": str(directory), "PI_PROXY_PORT": str(port), "PI_PROXY_MAX_BODY_SIZE": size}


def _node_proxy(directory: Path) -> Peer | None:
    modules = directory / "node" / "node_modules"
    bun = modules / "bun" / "bin" / "bun.exe"
    package = modules / NODE_PROXY
    if not (bun.exists() and package.exists()):
        return None
    return Peer(
        name="Node proxy on Bun",
        version=f"{_npm_version(package)} on Bun {_npm_version(modules / 'bun')}",
        command=lambda _port, _directory, _upstream: [str(bun), str(package / "dist" / "index.mjs")],
        environ=_pi,
        model="bench/bench",
    )


def _litellm(directory: Path) -> Peer | None:
    bin_dir = directory / "litellm" / "bin"
    if not (bin_dir / "litellm").exists():
        return None

    def command(port: int, own: Path, upstream: str) -> list[str]:
        model = {"model": "openai/bench", "api_base": upstream, "api_key": "k"}
        config = {"model_list": [{"model_name": "bench", "litellm_params": model}]}
        (own / "config.yaml").write_text(json.dumps(config))
        config_file = str(own / "config.yaml")
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(bin_dir / "litellm"), "--config", config_file, *where, "--telemetry", "False"]

    key = f"sk-{secrets.token_hex(32)}"
    installed = subprocess.run(
        [bin_dir / "python", "-c", "from importlib.metadata import version; print(version('litellm'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Peer(
        name="LiteLLM",
        version=installed.stdout.strip(),
        command=command,
        # Without network its price list would only make it start later; without a key it does not start.
        environ=lambda _port, _directory, _upstream: {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MASTER_KEY": key,
        },
        headers=lambda _upstream: {"authorization": f"Bearer {key}"},
        imports=(str(bin_dir / "python"), "-c", "import litellm.proxy.proxy_server"),
    )


def _portkey(directory: Path) -> Peer | None:
    package = directory / "portkey" / "node_modules" / PORTKEY
    server = package / "build" / "start-server.js"
    if not server.exists():
        return None
    return Peer(
        name="Portkey",
        version=f"{_npm_version(package)} on Node {_said('node', '--version')}",
        command=lambda port, _directory, _upstream: ["node", str(server), f"--port={port}", "--headless"],
        environ=lambda _port, _directory, _upstream: {"NODE_ENV": "production"},
        headers=lambda upstream: {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream},
    )


def _npm_version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text())["version"])


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout.strip()
