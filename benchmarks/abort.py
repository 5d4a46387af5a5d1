"""How long after its client has gone the provider's connection is closed: ``python -m benchmarks.abort``.

Client, gateway and provider are processes of their own with one clock; client and provider block in system calls, so
that no event loop but the gateway's is measured. Every sample is a new request. Over HTTP/1.1 the client closes its
connection, over HTTP/2 it resets its stream and keeps the connection. Where the provider has not been asked yet (a
login is being refreshed, no place is free), what counts is the gateway's log saying that the client left. With
``--peers`` the Node proxy does the same, sample by sample in turn, as far as it can: over HTTP/1.1.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from math import inf
from pathlib import Path
from typing import IO, Final

import h2.config
import h2.connection

from benchmarks import peers

ROOT: Final = Path(__file__).parent.parent
PHASES: Final = {
    "before the head": ("head", True),
    "before the first byte": ("byte", True),
    "in the middle of an event": ("event", True),
    "between two events": ("between", True),
    "whole answer, not streamed": ("between", False),
    "while a login is refreshed": ("refresh", True),
    "while it waits for a place": ("place", True),
}
"""What the provider does, and whether the client wants a stream."""
PROTOCOLS: Final = ("HTTP/1.1", "HTTP/1.1 TLS", "h2c", "HTTP/2 TLS")
UNASKED: Final = ("refresh", "place")
PATH: Final = "/v1/chat/completions"
PATIENCE: Final = 5.0
"""Seconds after which a connection counts as never closed."""
WARM: Final = 5
_tags: Final = count(1)


class Lines:
    """What another process writes, with the time of its arrival."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._queue: queue.Queue[tuple[str, float]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(ValueError):  # it is closed in the end, while we wait for more
            for line in self._stream:
                self._queue.put((line.decode().strip(), time.monotonic()))

    def wait(self, *words: str) -> tuple[str, float]:
        """The next line with one of these; an empty one when none comes."""
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            try:
                line, at = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if any(word in line for word in words):
                return line, at
        return "", inf


class Client:
    """One request on one connection."""

    def __init__(self, sock: socket.socket, http2: bool) -> None:
        self._socket = sock
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._http2 = h2.connection.H2Connection(config) if http2 else None
        self._reset = b""

    def ask(self, body: bytes) -> None:
        if self._http2 is None:
            kind = "content-type: application/json\r\n"
            head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\n{kind}content-length: {len(body)}\r\n\r\n"
            self._socket.sendall(head.encode() + body)
            return
        self._http2.initiate_connection()
        headers = [(":method", "POST"), (":path", PATH), (":scheme", "http"), (":authority", "localhost")]
        self._http2.send_headers(1, headers)
        self._http2.send_data(1, body, end_stream=True)
        self._socket.sendall(self._http2.data_to_send())
        self._http2.reset_stream(1, 8)
        self._reset = self._http2.data_to_send()  # ready, so that only the sending of it is measured

    def hear(self, text: bytes) -> None:
        data = b""
        while text not in data:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError(f"no answer but {data!r}")
            data += more

    def leave(self) -> None:
        if self._http2 is None:
            self._socket.close()
        else:
            self._socket.sendall(self._reset)

    def close(self) -> None:
        self._socket.close()


@dataclass
class Gateway:
    """A running proxy: how it is reached, what its model is called, what it logs."""

    port: int
    model: str
    log: Lines
    trust: ssl.SSLContext | None = None
    never: set[str] = field(default_factory=set)
    """Phases in which it does not close."""

    def connect(self, http2: bool) -> Client:
        tcp = socket.create_connection(("127.0.0.1", self.port))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.trust is None:
            return Client(tcp, http2)
        self.trust.set_alpn_protocols(["h2" if http2 else "http/1.1"])
        return Client(self.trust.wrap_socket(tcp, server_hostname="localhost"), http2)


def body_for(gate: Gateway, act: str, stream: bool, tag: int) -> bytes:
    model = "corp/login" if act == "refresh" else gate.model
    messages = [{"role": "user", "content": f"stall:{'head' if act in UNASKED else act}:{tag}:"}]
    return json.dumps({"model": model, "messages": messages, "stream": stream}).encode()


def sample(provider: Lines, gate: Gateway, http2: bool, phase: str) -> float:
    """Milliseconds from the client's leaving to the provider's side noticing, or to the log."""
    act, stream = PHASES[phase]
    tag = next(_tags)
    client = gate.connect(http2)
    client.ask(body_for(gate, act, stream, tag))
    if act in UNASKED:
        time.sleep(0.03)
    else:
        provider.wait(f"reached {tag}")
        if stream and act in ("event", "between"):
            client.hear(b"mark")
        time.sleep(0.005)
    left = time.monotonic()
    client.leave()
    if act in UNASKED:
        _, gone = gate.log.wait("client-left")
    else:
        line, _ = provider.wait(f"gone {tag} ")
        gone = float(line.split()[2]) if line else inf
        gate.log.wait("client-left") if gate.model == "bench" else None  # its place is free
    client.close()
    return 1000 * (gone - left)


@contextmanager
def holding(provider: Lines, gate: Gateway, phase: str) -> Iterator[None]:
    """The only place is taken, where the phase needs that."""
    if PHASES[phase][0] != "place":
        yield
        return
    tag = next(_tags)
    client = gate.connect(http2=False)
    client.ask(body_for(gate, "head", True, tag))
    provider.wait(f"reached {tag}")
    yield
    client.leave()
    provider.wait(f"gone {tag} ")
    gate.log.wait("client-left")


def measure(provider: Lines, gates: list[Gateway], http2: bool, phase: str, samples: int) -> list[list[float]]:
    """Samples of all gateways, in turn."""
    taken: list[list[float]] = [[] for _ in gates]
    with holding(provider, gates[0], phase):
        for number in range(samples + WARM):
            for gate, into in zip(gates, taken, strict=True):
                if phase in gate.never:
                    continue
                took = sample(provider, gate, http2, phase)
                if took == inf:
                    gate.never.add(phase)
                elif number >= WARM:
                    into.append(took)
    return taken


def figures(taken: list[float]) -> list[str]:
    if not taken:
        return ["never", "", ""]
    taken = sorted(taken)
    return [f"{ms:.2f}" for ms in (statistics.median(taken), taken[int(0.99 * (len(taken) - 1))], taken[-1])]


def _provider(stack: ExitStack) -> tuple[Lines, int]:
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-m", "benchmarks.stalling"], stdout=subprocess.PIPE, cwd=ROOT)
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    return Lines(process.stdout), port


def _start(stack: ExitStack, command: list[str], environ: dict[str, str]) -> tuple[IO[bytes], Lines]:
    process = stack.enter_context(
        subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout, Lines(process.stderr)


def piproxy(stack: ExitStack, home: Path, port: int, *, secure: bool) -> Gateway:
    """One with a single place, and a login that has to be refreshed."""
    at = f"http://127.0.0.1:{port}"
    bench = {"baseUrl": f"{at}/v1", "api": "openai-completions", "apiKey": "k", "models": [{"id": "bench"}]}
    corp = {"baseUrl": at, "api": "openai-completions", "oauth": "radius", "models": [{"id": "login"}]}
    (home / "models.json").write_text(json.dumps({"providers": {"bench": bench, "corp": corp}}))
    login = {"type": "oauth", "access": "a1", "refresh": "r1", "expires": 1}
    (home / "auth.json").write_text(json.dumps({"corp": login}))
    command = [sys.executable, "-m", "piproxy", "--bind", "127.0.0.1:0", "--max-concurrency", "1"]
    environ = {"PI_CODING_AGENT_DIR": str(home), "PI_PROXY_CATALOG": "snapshot"}
    said, log = _start(stack, [*command, "--tls-self-signed"] if secure else command, environ)
    own = int(said.readline().partition(b"/v1")[0].rpartition(b":")[2])
    trust = ssl.create_default_context(cafile=str(home / "piproxy-tls" / "ca.pem")) if secure else None
    return Gateway(own, "bench", log, trust)


def node_proxy(stack: ExitStack, home: Path, port: int, directory: Path) -> Gateway | None:
    """The peer, if it is installed."""
    peer = next((peer for peer in peers.peers(directory) if peer.name.startswith("Node proxy")), None)
    if peer is None:
        return None
    with socket.create_server(("127.0.0.1", 0)) as free:
        own: int = free.getsockname()[1]
    upstream = f"http://127.0.0.1:{port}/v1"
    said, log = _start(stack, peer.command(own, home, upstream), peer.environ(own, home, upstream))
    Lines(said)  # reads it, so that it does not have to wait
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", own)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return Gateway(own, peer.model, log, never={phase for phase in PHASES if PHASES[phase][0] in UNASKED})
    return None


def run(samples: int, directory: Path) -> None:
    """Print the table, line by line."""
    with ExitStack() as stack:
        provider, port = _provider(stack)
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        plain = piproxy(stack, homes[0], port, secure=False)
        secure = piproxy(stack, homes[1], port, secure=True)
        peer = node_proxy(stack, homes[2], port, directory)
        titles = ["client leaves", "protocol", "p50 ms", "p99 ms", "max ms"]
        titles += ["Node proxy on Bun: p50", "p99", "max", "p50, ratio"] if peer else []
        print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
        for phase in PHASES:
            for protocol in PROTOCOLS:
                gates = [secure if "TLS" in protocol else plain]
                gates += [peer] if peer and protocol == "HTTP/1.1" else []
                ours, *theirs = measure(provider, gates, protocol in ("h2c", "HTTP/2 TLS"), phase, samples)
                cells = [phase, protocol, *figures(ours)]
                for other in theirs:
                    ratio = f"{statistics.median(ours) / statistics.median(other):.2f}" if other else ""
                    unasked = PHASES[phase][0] in UNASKED
                    cells += ["", "", "", ""] if unasked else [*figures(other), ratio]
                print(f"| {' | '.join(cells + [''] * (len(titles) - len(cells)))} |", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="per line of the table")
    parser.add_argument("--peers", type=Path, default=ROOT / ".benchmarks", help="where the peers are installed")
    given = parser.parse_args()
    run(given.samples, given.peers.absolute())


if __name__ == "__main__":
    main()
