"""How long after its client has gone the provider's connection is closed: ``python -m benchmarks.abort``.

The gateway is a process of its own; client and provider share this one, and its clock. Every sample is a new request.
Over HTTP/1.1 the client closes its connection, over HTTP/2 it resets its stream and keeps the connection.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import h2.config
import h2.connection
import trio

Phase = Literal["before the head", "before the first byte", "in mid-stream", "whole answer"]
PHASES: Final[tuple[Phase, ...]] = ("before the head", "before the first byte", "in mid-stream", "whole answer")
PROTOCOLS: Final = ("HTTP/1.1", "HTTP/1.1 TLS", "h2c", "HTTP/2 TLS")
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT: Final = (
    b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"mark"},"finish_reason":null}]}\n\n'
)
PATH: Final = "/v1/chat/completions"


@dataclass
class Provider:
    """Goes as far as ``phase`` says, then waits for the gateway to close."""

    phase: Phase = "before the head"
    reached: trio.Event = field(default_factory=trio.Event)
    gone: trio.Event = field(default_factory=trio.Event)
    gone_at: float = 0.0

    def next(self, phase: Phase) -> None:
        self.phase, self.reached, self.gone = phase, trio.Event(), trio.Event()

    async def handle(self, stream: trio.SocketStream) -> None:
        data = b""
        while b'"messages"' not in data:
            data += bytes(await stream.receive_some(65536))
        if self.phase != "before the head":
            await stream.send_all(HEAD)
        if self.phase in ("in mid-stream", "whole answer"):
            await stream.send_all(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        self.reached.set()
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some(65536):
                pass
        self.gone_at = time.perf_counter()
        self.gone.set()


class Client:
    """One request on one connection."""

    def __init__(self, stream: trio.abc.Stream, http2: bool) -> None:
        self._stream = stream
        self._http2 = (
            h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
            if http2
            else None
        )

    async def ask(self, body: bytes) -> None:
        if self._http2 is None:
            head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            await self._stream.send_all(head.encode() + body)
            return
        self._http2.initiate_connection()
        headers = [(":method", "POST"), (":path", PATH), (":scheme", "http"), (":authority", "localhost")]
        self._http2.send_headers(1, headers)
        self._http2.send_data(1, body, end_stream=True)
        await self._stream.send_all(self._http2.data_to_send())

    async def hear(self, text: bytes) -> None:
        data = b""
        while text not in data:
            data += bytes(await self._stream.receive_some(65536))

    async def leave(self) -> None:
        if self._http2 is None:
            await trio.aclose_forcefully(self._stream)
        else:
            self._http2.reset_stream(1, 8)
            await self._stream.send_all(self._http2.data_to_send())

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)


@dataclass
class Gateway:
    """Where it listens: without TLS, and with."""

    plain: int
    secure: int
    trust: ssl.SSLContext

    async def connect(self, protocol: str) -> Client:
        http2 = protocol in ("h2c", "HTTP/2 TLS")
        if "TLS" not in protocol:
            return Client(await trio.open_tcp_stream("127.0.0.1", self.plain), http2)
        self.trust.set_alpn_protocols(["h2" if http2 else "http/1.1"])
        tcp = await trio.open_tcp_stream("127.0.0.1", self.secure)
        tls = trio.SSLStream(tcp, self.trust, server_hostname="localhost", https_compatible=True)
        await tls.do_handshake()
        return Client(tls, http2)


def _start(command: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@asynccontextmanager
async def gateway(home: Path, port: int) -> AsyncIterator[Gateway]:
    """Two of them on one provider: a server speaks TLS or does not."""
    models = {
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "api": "openai-completions",
        "apiKey": "k",
        "models": [{"id": "m"}],
    }
    (home / "models.json").write_text(json.dumps({"providers": {"p": models}}))
    environ = {**os.environ, "PI_CODING_AGENT_DIR": str(home), "PI_PROXY_CATALOG": "snapshot"}
    command = [sys.executable, "-m", "piproxy", "--bind", "127.0.0.1:0"]
    processes = [_start([*command, *more], environ) for more in ([], ["--tls-self-signed"])]
    try:
        ports = []
        for process in processes:
            line = await trio.to_thread.run_sync(process.stdout.readline if process.stdout else bytes)
            ports.append(int(line.partition(b"/v1")[0].rpartition(b":")[2]))
        trust = ssl.create_default_context(cafile=str(home / "piproxy-tls" / "ca.pem"))
        yield Gateway(ports[0], ports[1], trust)
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)


async def sample(provider: Provider, gate: Gateway, protocol: str, phase: Phase) -> float:
    """Seconds from the client's leaving to the provider's side noticing."""
    provider.next(phase)
    client = await gate.connect(protocol)
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": phase != "whole answer"}
    await client.ask(json.dumps(body).encode())
    await provider.reached.wait()
    if phase == "in mid-stream":
        await client.hear(b"mark")
    else:
        await trio.sleep(0.005)
    left = time.perf_counter()
    await client.leave()
    await provider.gone.wait()
    await client.close()
    return provider.gone_at - left


async def measure(samples: int) -> None:
    """Print the table."""
    async with trio.open_nursery() as nursery:
        provider = Provider()
        listeners = await nursery.start(trio.serve_tcp, provider.handle, 0)
        with tempfile.TemporaryDirectory() as home:
            async with gateway(Path(home), listeners[0].socket.getsockname()[1]) as gate:
                sys.stdout.write("| client leaves | protocol | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|\n")
                for phase in PHASES:
                    for protocol in PROTOCOLS:
                        await sample(provider, gate, protocol, phase)
                        took = sorted([1000 * await sample(provider, gate, protocol, phase) for _ in range(samples)])
                        p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
                        middle = statistics.median(took)
                        sys.stdout.write(f"| {phase} | {protocol} | {middle:.2f} | {p99:.2f} | {took[-1]:.2f} |\n")
                        sys.stdout.flush()
        nursery.cancel_scope.cancel()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="per line of the table")
    trio.run(measure, parser.parse_args().samples)


if __name__ == "__main__":
    main()
