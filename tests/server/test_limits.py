"""What happens when the operating system gives no more file descriptors."""

from __future__ import annotations

import errno
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from fakes.served import served

from piproxy.errors import Overloaded
from piproxy.server import serving
from piproxy.upstream.connections import Origin, connector

ASK = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def nobody(_: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def test_idle_clients_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is idle leaves for whoever wants something; the log has one line, however often it happens."""
    monkeypatch.setattr(serving, "REST", 0)
    accept, refused = trio.SocketListener.accept, 0

    async def accept_later(self: trio.SocketListener) -> trio.SocketStream:
        nonlocal refused
        await trio.lowlevel.checkpoint()
        if refused < 3:
            refused += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await accept(self)

    with trio.fail_after(60):
        async with served(tmp_path, nobody, log_format="json") as s:
            idle = await trio.open_tcp_stream("127.0.0.1", s.port)
            await idle.send_all(ASK)
            assert bytes(await idle.receive_some(1000)).startswith(b"HTTP/1.1 200")
            monkeypatch.setattr(trio.SocketListener, "accept", accept_later)
            first, second = [await trio.open_tcp_stream("127.0.0.1", s.port) for _ in range(2)]
            assert await idle.receive_some(1) == b""
            await second.send_all(ASK)
            assert bytes(await second.receive_some(1000)).startswith(b"HTTP/1.1 200")
            for stream in (idle, first, second):
                await trio.aclose_forcefully(stream)
    assert refused == 3
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines() if "descriptors" in line]
    assert said == ["no file descriptors are left: new clients wait"]


def test_the_soft_limit_is_raised() -> None:
    """As far as the hard one allows."""
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128));"
        "from piproxy.server.limits import allow_open_files, open_files;"
        "allow_open_files(); print(open_files())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "128\n"


async def test_no_descriptor_for_a_provider() -> None:
    """It is not the provider that failed: the client is told to come back soon."""

    async def dial(host: str, port: int) -> trio.SocketStream:
        raise OSError("all attempts failed") from OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    connect = connector(ssl.create_default_context, dial)
    with pytest.raises(Overloaded) as caught:
        await connect(Origin("http", "provider.test", 80))
    assert (caught.value.status, caught.value.headers) == (503, {"retry-after": "1"})
