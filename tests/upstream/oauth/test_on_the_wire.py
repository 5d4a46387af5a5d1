"""A refresh through the real client, to a token endpoint on the loopback."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import trio

from piproxy.pi.auth_entry import OAuthEntry, read_entry
from piproxy.pi.auth_file import AuthFile
from piproxy.pi.jsonfile import dump
from piproxy.pi.login import Login
from piproxy.upstream.http import Http
from piproxy.upstream.oauth.refresh import Refresher

OLD = {"type": "oauth", "access": "a1", "refresh": "r1", "expires": 0}
REPLY = json.dumps({"access_token": "a2", "refresh_token": "r2", "expires_in": 3600}).encode()


async def serve(stream: trio.SocketStream, seen: list[bytes]) -> None:
    """Answer one request."""
    request = b""
    while b"\r\n\r\n" not in request or not request.endswith(b"refresh_token=r1"):
        request += await stream.receive_some()
    seen.append(request)
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(REPLY), REPLY))


async def test_the_request_arrives_and_the_reply_is_stored(tmp_path: Path) -> None:
    """A Radius gateway of the user's own, over plain HTTP."""
    path = tmp_path / "auth.json"
    await trio.Path(path).write_bytes(dump({"corp": OLD}))
    seen: list[bytes] = []
    async with trio.open_nursery() as nursery, Http() as http:
        listeners = await nursery.start(partial(trio.serve_tcp, partial(serve, seen=seen), 0, host="127.0.0.1"))
        gateway = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        refresher = Refresher(http=http, auth=AuthFile(path), environ={}, nursery=nursery, clock=lambda: 1_000_000.0)
        entry = read_entry(OLD)
        assert isinstance(entry, OAuthEntry)
        login = Login(provider="corp", kind="oauth", entry=entry, flow="radius", gateway=gateway)
        assert (await refresher.fresh(login)).access == "a2"
        nursery.cancel_scope.cancel()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/oauth/token http/1.1"
    assert b"content-type: application/x-www-form-urlencoded" in lines
    assert b"content-length: %d" % len(body) in lines
    assert body == b"grant_type=refresh_token&client_id=pi-gateway&refresh_token=r1"
    stored = json.loads(await trio.Path(path).read_bytes())
    assert stored == {"corp": {"type": "oauth", "access": "a2", "refresh": "r2", "expires": 1_003_540_000}}
