"""The search for secrets finds some, wherever they are said."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import trio
from fakes.secrets import BothForms, Secrets, overhearing
from fakes.served import KEY, served
from quart import Response

from piproxy.exchange import Record, providers, refusals
from piproxy.providererror import reading as reading_module
from piproxy.server import app as app_module
from piproxy.server import log as log_module
from piproxy.server.log import Log

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
URL = "/v1/chat/completions"


async def echo(stream: trio.SocketStream) -> None:
    """A provider that shows in its error, in every field of it, the key that it was sent."""
    error = {"message": f"Bad key {KEY}.", "type": KEY, "code": KEY, "param": KEY}
    body = json.dumps({"error": error}).encode()
    head = (
        f"HTTP/1.1 400 No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nx-request-id: up\r\n\r\n"
    )
    await stream.send_all(head.encode() + body)


@pytest.mark.parametrize("style", ["human", "json"])
async def test_a_key_that_a_provider_shows_is_said_to_nobody_over_tcp(
    style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither to the client nor on standard error, in either form of the log."""
    with trio.fail_after(60):
        async with served(tmp_path, echo, log_format=style) as s:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{s.port}", trust_env=False, timeout=60) as client:
                answer = await client.post(URL, json=CHAT)
            assert answer.status_code == 400
            assert "Bad key ***." in answer.text
            assert KEY not in answer.text + str(answer.headers)
    logged = capsys.readouterr().err
    assert URL in logged
    assert KEY not in logged


def showing(key: str) -> Callable[[trio.SocketStream], Awaitable[None]]:
    """A provider that repeats a key."""

    async def script(stream: trio.SocketStream) -> None:
        body = json.dumps({"error": {"message": f"No: {key}"}}).encode()
        head = f"HTTP/1.1 400 No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        await stream.send_all(head.encode() + body)

    return script


@pytest.mark.parametrize("where", ["answer", "answer to the client's own key", "header", "log"])
async def test_the_search_finds_what_is_said_over_tcp(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were anything of the masking lost, the tests on real sockets would fail."""
    shown, given = KEY, dict[str, str]()
    if where == "answer to the client's own key":
        shown = given["x-pi-upstream-api-key"] = "k3y-of-the-client-0123456789"
    if where == "log":
        monkeypatch.setattr(log_module, "_path", lambda path: f"{path} {KEY}")
    elif where == "header":
        monkeypatch.setattr(app_module, "json_response", _with_header)
    else:
        for module in (providers, refusals):
            monkeypatch.setattr(module, "conceal", lambda text, secrets: text)
        monkeypatch.setattr(reading_module, "redact", lambda text: text)
    with pytest.raises(AssertionError, match="a secret"), overhearing():
        with trio.fail_after(60):
            async with served(tmp_path, showing(shown)) as s, httpx.AsyncClient(trust_env=False, timeout=60) as client:
                await client.get(f"http://127.0.0.1:{s.port}/health")
                await client.post(f"http://127.0.0.1:{s.port}{URL}", json=CHAT, headers=given)


def _with_header(value: object) -> Response:
    return Response(json.dumps(value), headers={"x-odd": KEY})


@pytest.mark.parametrize("style", ["human", "json"])
def test_the_search_reads_both_forms(style: str) -> None:
    """A secret in either is found."""
    lines: dict[str, list[str]] = {"human": [], "json": []}
    log: Log = BothForms(lines["json"].append, lines["human"].append)
    log.request(Record(request_id="r", method=f"GET {KEY}"), 0.1)
    log.event("warning", what="fine")
    secrets = Secrets({"providers": {"p": {"apiKey": KEY}}})
    assert len(lines[style]) == 2
    with pytest.raises(AssertionError, match="in the log"):
        secrets.check(lines[style])
