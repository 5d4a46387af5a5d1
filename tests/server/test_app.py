"""Paths, methods, errors and headers of the served app."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fakes.gateway import CHAT, KEY, MODELS, gateway
from fakes.provider import DONE, Conversation, chunk
from trio.testing import MockClock, wait_all_tasks_blocked


async def hello(talk: Conversation) -> None:
    await talk.head(x_request_id="up-7")
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    last = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    await talk.data(chunk(content="hello"), chunk(finish_reason="stop"), last, DONE)
    await talk.end()


async def refuse(talk: Conversation) -> None:
    await talk.json(401, b'{"error": {"message": "Incorrect API key provided: ' + KEY.encode() + b'"}}')


async def nobody(talk: Conversation) -> None:
    raise AssertionError("the provider was asked")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/v1", 404, "unsupported_endpoint"),
        ("POST", "/v1/embeddings", 404, "unsupported_endpoint"),
        ("POST", "/v1/responses", 404, "unsupported_endpoint"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("GET", "/v1/models/unknown", 404, "model_not_found"),
        ("GET", "/v1/models/%zz", 404, "model_not_found"),
        ("GET", "/v1/models/%ff%fe", 404, "model_not_found"),
    ],
)
async def test_every_wrong_path_has_an_openai_error(
    method: str, path: str, status: int, code: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """JSON in OpenAI's shape, a request id, and the connection goes on."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        reply = await client.ask(method, path)
        assert (reply.status, reply.json["error"]["code"]) == (status, code)
        assert set(reply.json["error"]) == {"message", "type", "param", "code"}
        assert reply.headers["x-request-id"].startswith("req_")
        assert (await client.ask("GET", "/health")).status == 200
        await client.leave()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Echo", "does not exist or you do not have access to it. Did you mean `echo`?"),
        ("demo/ecko", "does not exist or you do not have access to it. Did you mean `demo/echo`?"),
        ("broken/big", "is not offered to clients now; `piproxy models --all` tells why."),
        ("big", "is not offered to clients now; `piproxy models --all` tells why."),
        ("openai/gpt-4o", "is not offered to clients now; `piproxy models --all` tells why."),
        ("zzzzzzzz", "does not exist or you do not have access to it."),
    ],
)
async def test_a_wrong_model_is_answered_with_what_could_be_meant(
    asked: str, told: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Similar ids, or that pi has the model but clients do not; never a command, also where a key's command failed."""
    broken = {**MODELS["providers"]["fake"], "models": [{"id": "big"}]}
    del broken["apiKey"]
    (tmp_path / "auth.json").write_text('{"broken": {"type": "api_key", "key": "!exit 3 # hush"}}')
    async with gateway(tmp_path, nobody, models={"providers": {**MODELS["providers"], "broken": broken}}) as g:
        client = g.client()
        for reply in (
            await client.ask("POST", "/v1/chat/completions", {**CHAT, "model": asked}),
            await client.ask("GET", f"/v1/models/{asked}"),
        ):
            error = {"type": "invalid_request_error", "param": "model", "code": "model_not_found"}
            assert (reply.status, reply.json["error"]) == (404, {"message": f"The model `{asked}` {told}", **error})
        await client.leave()


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/models/"])
async def test_models_are_listed_with_and_without_v1(path: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """OpenAI's standard fields and no others."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        reply = await client.ask("GET", path)
        mine = [model for model in reply.json["data"] if model["owned_by"] == "fake"]
        assert [model["id"] for model in mine] == ["m", "a/b"]
        assert set(mine[0]) == {"id", "object", "created", "owned_by"}
        await client.leave()


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "fake/a/b", "fake%2Fa%2Fb", "fake%2fa/b"])
async def test_a_model_is_found_by_either_id(id: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Public or canonical, with slashes raw or encoded."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        assert (await client.ask("GET", f"/v1/models/{id}")).json["id"] == "a/b"
        await client.leave()


async def test_the_front_door_says_what_this_is(tmp_path: Path, autojump_clock: MockClock) -> None:
    """GET / and /health need no token."""
    async with gateway(tmp_path, nobody, flags={"auth_token": "t0ken"}) as g:
        client = g.client()
        assert (await client.ask("GET", "/")).json["name"] == "piproxy"
        assert (await client.ask("GET", "/health")).json == {"status": "ok"}
        refused = await client.ask("GET", "/v1/models")
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert (await client.ask("GET", "/v1/models", authorization="bearer t0ken")).status == 200
        assert (await client.ask("GET", "/v1/models", x_api_key="t0ken")).status == 200
        await client.leave()


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"", 400, None),
        (b"[]", 400, None),
        (b'\xff\xfe{"model"', 400, None),
        ({"model": "m"}, 400, "messages"),
        ({"messages": CHAT["messages"]}, 400, "model"),
        ({**CHAT, "temperature": "hot"}, 400, "temperature"),
        ({**CHAT, "messages": [{"role": "wizard", "content": "x"}]}, 400, "messages[0].role"),
        ({**CHAT, "wobble": 1}, 422, "wobble"),
        ({**CHAT, "model": "unknown"}, 404, "model"),
    ],
)
async def test_bad_requests_name_what_is_wrong(
    body: Any, status: int, param: str | None, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The status tells whose fault, ``param`` tells where; the provider is not asked."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", body)
        assert (reply.status, reply.json["error"]["param"]) == (status, param)
        await client.leave()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_a_413(chunked: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Counted on real bytes, so that a chunked upload does not pass."""
    async with gateway(tmp_path, nobody, flags={"max_body_size_mb": 1}) as g:
        client = g.client()
        size = 1024 * 1024 + 1
        if chunked:
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
            await client.stream.send_all(head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
            answer = b""
            while b"request_too_large" not in answer:
                answer += bytes(await client.stream.receive_some(4096))
            assert answer.startswith(b"HTTP/1.1 413")
        else:
            reply = await client.ask("POST", "/v1/chat/completions", b"x" * size)
            assert (reply.status, reply.json["error"]["code"]) == (413, "request_too_large")
        await client.leave()


async def test_an_answer_carries_ids_both_ways(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Our request id, the client's own, and the provider's."""
    async with gateway(tmp_path, hello) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", CHAT, x_client_request_id="mine-1")
        assert reply.headers["x-client-request-id"] == "mine-1"
        assert reply.headers["x-piproxy-upstream-request-id"] == "up-7"
        assert reply.json["id"] == reply.headers["x-request-id"].replace("req_", "chatcmpl-")
        await wait_all_tasks_blocked()
        assert g.log[0]["client_request_id"] == "mine-1"
        assert (g.log[0]["prompt_tokens"], g.log[0]["completion_tokens"]) == (10, 5)
        assert g.log[0]["cost"] == pytest.approx(2e-05)
        await client.leave()


async def test_what_an_api_cannot_carry_is_named(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The request succeeds, a header says what had no place."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        body = {**CHAT, "model": "demo/echo", "seed": 7}
        reply = await client.ask("POST", "/v1/chat/completions", body)
        assert (reply.status, reply.headers["x-piproxy-dropped-params"]) == (200, "seed")
        await client.leave()


async def test_keys_reach_neither_client_nor_log(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A provider that echoes the key it refuses is masked, and it is our fault, not to be retried."""
    async with gateway(tmp_path, refuse) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", CHAT)
        assert (reply.status, reply.headers["x-should-retry"]) == (502, "false")
        assert b"Incorrect API key" in reply.body
        await wait_all_tasks_blocked()
        assert KEY not in reply.body.decode() + str(reply.headers) + "".join(g.lines)
        await client.leave()


async def test_the_clients_own_upstream_key(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It replaces the configured key; refused, it is the client's 401."""
    async with gateway(tmp_path, refuse) as g:
        client = g.client()
        reply = await client.ask("POST", "/v1/chat/completions", CHAT, x_pi_upstream_api_key="sk-mine-999")
        assert g.provider.asked[0].headers["authorization"] == "Bearer sk-mine-999"
        assert (reply.status, reply.json["error"]["code"]) == (401, "invalid_api_key")
        await client.leave()


async def test_foreign_hosts_and_origins_are_refused(tmp_path: Path, autojump_clock: MockClock) -> None:
    """403 before anything else; a page of this machine gets CORS headers and its preflight."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        assert (await client.ask("GET", "/v1/models", host="evil.example")).status == 403
        assert (await client.ask("GET", "/v1/models", origin="https://evil.example")).status == 403
        assert (await client.ask("GET", "/v1/models", sec_fetch_mode="cors")).status == 200
        page = {"origin": "http://localhost:3000"}
        reply = await client.ask("OPTIONS", "/v1/chat/completions", **page, access_control_request_headers="x-a")
        assert (reply.status, reply.headers["access-control-allow-headers"]) == (204, "x-a")
        assert (await client.ask("GET", "/v1/models", **page)).headers["access-control-allow-origin"] == page["origin"]
        await client.leave()


async def test_models_json_is_read_again_when_it_changes(tmp_path: Path, autojump_clock: MockClock) -> None:
    """No restart; a broken file is reported and takes nothing away."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        path = tmp_path / "models.json"
        good = path.read_text()
        path.write_text("{ broken")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 2))  # for so long that nobody is still writing it
        assert (await client.ask("GET", "/v1/models/m")).status == 200
        assert any("models.json" in line for line in g.lines)
        path.write_text(good.replace('"id": "m"', '"id": "renamed"'))
        assert (await client.ask("GET", "/v1/models/renamed")).status == 200
        assert (await client.ask("GET", "/v1/models/m")).status == 404
        await client.leave()
