"""What is odd about a request beside its fields: bytes, numbers, methods, headers, paths, protocols."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h11
import pytest
import trio
from fakes.answers import WIRES, Said, models_json
from fakes.client import Reply
from fakes.gateway import CHAT, Gateway, gateway
from fakes.provider import DONE, Conversation, chunk
from fakes.sdk import saying
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.openai.fields import FIELDS

URL = "/v1/chat/completions"
BODY = json.dumps(CHAT).encode()
HELLO = saying(Said(text=["hello"]))


async def hello(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="hello"), chunk(finish_reason="stop"), DONE)
    await talk.end()


async def nobody(talk: Conversation) -> None:
    raise AssertionError("the provider was asked")


async def ask(g: Gateway, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    client = g.client()
    reply = await client.ask(method, path, body, **headers)
    await client.leave()
    return reply


async def raw(g: Gateway, data: bytes) -> bytes:
    """What comes back until nothing more does."""
    client = g.client()
    await client.stream.send_all(data)
    said = b""
    with trio.move_on_after(1):
        while more := bytes(await client.stream.receive_some(65536)):
            said += more
    await client.leave()
    return said


def with_text(text: str) -> bytes:
    """A body whose one message is this JSON string."""
    return b'{"model":"m","messages":[{"role":"user","content":"' + text.encode() + b'"}]}'


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"\xef\xbb\xbf" + BODY, "hello"),
        (b" \r\n" + BODY + b"\n ", "hello"),
        (with_text(r"a\ud800b"), "ab"),
        (with_text(r"\udc00\ud800"), ""),
        (with_text(r"\ud83d\ude00"), "\U0001f600"),
        (with_text(r"\u0000\u0007\u2028"), "\u0000\u0007\u2028"),
        (with_text(""), ""),
        (b'{"model":"x","model":"m","messages":[],"messages":[{"role":"user","content":"last"}]}', "last"),
    ],
    ids=["byte order mark", "space", "half a pair", "wrong pair", "pair", "controls", "empty", "twice"],
)
async def test_odd_text_is_taken(body: bytes, sent: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """And goes on as it is, but for halves of surrogate pairs, which nobody can write; of equal keys the last wins."""
    async with gateway(tmp_path, hello) as g:
        assert (await ask(g, "POST", URL, body)).status == 200
        assert json.loads(g.provider.asked[0].body)["messages"][0]["content"] == sent


def _numbered(number: str) -> bytes:
    return BODY[:-1] + b', "seed": ' + number.encode() + b"}"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (_numbered("NaN"), "NaN is not JSON"),
        (_numbered("-Infinity"), "-Infinity is not JSON"),
        (_numbered("1e400"), "a number is too large"),
        (_numbered("9" * 5000), "an integer has too many digits"),
        (_numbered("01"), "line 1"),
        (BODY + b"x", "Extra data"),
        (b"[" * 100_000, "nested more than 200 levels"),
        (b'{"model":"m","messages":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested more than 200 levels"),
        (b'{"model":"m","messages":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, "nested more than 200 levels"),
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (json.dumps(CHAT).encode("utf-16"), "not valid UTF-8"),
        (b"", "The request body is empty"),
        (b" \r\n\t", "The request body is empty"),
        (b"\xef\xbb\xbf", "The request body is empty"),
        (b"null", "must be a JSON object, but it is null"),
        (b'"a"', "must be a JSON object, but it is a string"),
        (b"model=m&messages=x", "not valid JSON"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
async def test_what_is_no_body_is_a_400(body: bytes, says: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """In OpenAI's shape, with what is wrong, and without advice about Python."""
    async with gateway(tmp_path, nobody) as g:
        reply = await ask(g, "POST", URL, body)
        error = reply.json["error"]
        assert (reply.status, error["type"], error["param"]) == (400, "invalid_request_error", None)
        assert error["code"] in {"invalid_json", "invalid_type"}
        assert says in error["message"]
        assert "sys." not in error["message"]


async def test_integers_of_any_size_arrive(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Beyond 2^53 and 2^64, in fields and in schemas."""
    big = 2**70 + 1
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "integer", "maximum": big}}}
    async with gateway(tmp_path, hello) as g:
        assert (await ask(g, "POST", URL, {**CHAT, "seed": big, "tools": [tool]})).status == 200
        sent = json.loads(g.provider.asked[0].body)
        assert (sent["seed"], sent["tools"][0]["function"]["parameters"]["maximum"]) == (big, big)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"])
async def test_the_content_type_is_not_asked_for(kind: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A body is JSON, whatever it is called."""
    async with gateway(tmp_path, hello) as g:
        assert (await ask(g, "POST", URL, CHAT, content_type=kind)).status == 200
        head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (URL.encode(), len(BODY))
        assert (await raw(g, head + BODY)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("br, gzip", 415), ("identity", 200), ("Identity", 200)])
async def test_a_compressed_body_is_refused(
    coding: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """With the status that HTTP has for it, and what would be taken."""
    async with gateway(tmp_path, hello) as g:
        body = gzip.compress(BODY) if status == 415 else BODY
        reply = await ask(g, "POST", URL, body, content_encoding=coding)
        assert reply.status == status
        if status == 415:
            assert reply.json["error"]["code"] == "unsupported_content_encoding"
            assert reply.headers["accept-encoding"] == "identity"


async def test_a_client_that_waits_for_leave_gets_it(tmp_path: Path, autojump_clock: MockClock) -> None:
    """``Expect: 100-continue`` is answered before the body comes."""
    async with gateway(tmp_path, hello) as g:
        client = g.client()
        head = b"POST %b HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"
        await client.stream.send_all(head % (URL.encode(), len(BODY)))
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 100")
        await client.stream.send_all(BODY)
        assert bytes(await client.stream.receive_some(1000)).startswith(b"HTTP/1.1 200")
        await client.leave()


async def test_a_large_upload_in_pieces_is_taken(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Up to the limit, however it comes."""
    async with gateway(tmp_path, hello, flags={"max_body_size_mb": 2}) as g:
        client = g.client()
        text = b"x" * (2 * 1024 * 1024 - 100)
        body = with_text(text.decode())
        head = h11.Request(method="POST", target=URL, headers=[("host", "localhost"), ("transfer-encoding", "chunked")])
        await client.stream.send_all(client.http.send(head) or b"")
        for at in range(0, len(body), 10_000):
            await client.stream.send_all(client.http.send(h11.Data(data=body[at : at + 10_000])) or b"")
        await client.stream.send_all(client.http.send(h11.EndOfMessage()) or b"")
        reply = await client.rest(await client.head())
        assert reply.status == 200
        assert len(g.provider.asked[0].body) >= len(text)
        await client.leave()


@pytest.mark.parametrize("path", [URL, f"{URL}/", "/chat/completions"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
async def test_only_post_asks(method: str, path: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Any other method is a 405 that names it, in OpenAI's shape (HEAD has the head alone)."""
    async with gateway(tmp_path, nobody) as g:
        client = g.client()
        if method == "HEAD":
            await client.stream.send_all(
                f"HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            said = b""
            while more := bytes(await client.stream.receive_some(65536)):
                said += more
            assert said.startswith(b"HTTP/1.1 405")
            assert b"\r\nallow: POST\r\n" in said
            assert said.endswith(b"\r\n\r\n")
        else:
            reply = await client.ask(method, path)
            assert (reply.status, reply.headers["allow"]) == (405, "POST")
            assert reply.json["error"]["code"] == "method_not_allowed"
        await client.leave()


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/v1/models/m", "/models"])
async def test_heads_of_what_can_be_read(path: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """As the answer to GET, without the body."""
    async with gateway(tmp_path, nobody) as g:
        said = await raw(g, f"HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        assert said.startswith(b"HTTP/1.1 200")
        assert b"content-type: application/json" in said
        assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", [URL, "/v1/models", "/v1/nowhere"])
async def test_a_preflight_has_no_body_and_says_so_by_silence(
    path: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """204 without type or length; what was asked for is allowed, and private addresses where that was asked."""
    async with gateway(tmp_path, nobody, flags={"auth_token": "t0ken-of-the-proxy"}) as g:
        wish = {"access_control_request_method": "POST", "access_control_request_headers": "authorization,x-a"}
        page = {"origin": "http://localhost:3000", "access_control_request_private_network": "true"}
        reply = await ask(g, "OPTIONS", path, **page, **wish)
        assert reply.status == 204
        assert reply.complete
        assert not {"content-type", "content-length", "transfer-encoding"} & set(reply.headers)
        assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert reply.headers["access-control-allow-headers"] == "authorization,x-a"
        assert reply.headers["access-control-allow-private-network"] == "true"
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert reply.headers["vary"] == "origin"


async def test_errors_reach_pages_that_may_ask(tmp_path: Path, autojump_clock: MockClock) -> None:
    """With the CORS headers; otherwise a browser would hide why."""
    async with gateway(tmp_path, nobody, flags={"auth_token": "t0ken-of-the-proxy"}) as g:
        reply = await ask(g, "POST", URL, CHAT, origin="http://localhost:3000")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (401, "http://localhost:3000")
        foreign = await ask(g, "POST", URL, CHAT, origin="https://evil.example")
        assert (foreign.status, "access-control-allow-origin" in foreign.headers) == (403, False)


@pytest.mark.parametrize(
    ("setting", "origin", "status"),
    [
        (("https://app.example",), "https://app.example", 200),
        (("https://app.example",), "https://app.example.evil.example", 403),
        (("https://app.example",), "http://app.example", 403),
        (("https://app.example",), "https://app.example:8443", 403),
        (("https://app.example",), "null", 403),
        (("*",), "https://anything.example", 200),
        ((), "https://app.example", 403),
        ((), "http://localhost:5173", 200),
    ],
)
async def test_pages_that_are_allowed_get_all_of_cors(
    setting: tuple[str, ...], origin: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Preflight, answer, stream and error; a page that is not allowed gets none, and the provider is not asked."""
    async with gateway(tmp_path, hello, flags={"allowed_origins": setting}) as g:
        wish = {"origin": origin, "access_control_request_method": "POST"}
        replies = [
            await ask(g, "OPTIONS", URL, **wish),
            await ask(g, "POST", URL, CHAT, origin=origin),
            await ask(g, "POST", URL, {**CHAT, "stream": True}, origin=origin),
            await ask(g, "POST", URL, {**CHAT, "n": 2}, origin=origin),
        ]
        allowed = status == 200
        assert [reply.status for reply in replies] == ([204, 200, 200, 422] if allowed else [403] * 4)
        for reply in replies:
            assert reply.headers.get("access-control-allow-origin") == (origin if allowed else None)
            assert reply.headers.get("access-control-expose-headers") == ("*" if allowed else None)
        assert len(g.provider.asked) == (2 if allowed else 0)


@pytest.mark.parametrize(("host", "status"), [("box.lan:4141", 200), ("BOX.LAN", 200), ("other.lan", 403)])
async def test_hosts_that_are_allowed(host: str, status: int, tmp_path: Path, autojump_clock: MockClock) -> None:
    """By the setting, in any case and with any port."""
    async with gateway(tmp_path, nobody, flags={"allowed_hosts": ("box.lan",)}) as g:
        assert (await ask(g, "GET", "/v1/models", host=host)).status == status


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"GARBAGE\r\n\r\n", 400, "illegal request line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 400, "no HTTP request"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", 400, "Host"),
        (b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n", 400, "Content-Length"),
        (b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n", 501, "Transfer-Encoding"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431, "too long"),
    ],
)
async def test_what_is_no_request_is_refused_in_openais_shape(
    sent: bytes, status: int, says: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """One whole answer that says what is wrong, and nothing behind it; the connection is closed."""
    async with gateway(tmp_path, nobody) as g:
        head, _, body = (await raw(g, sent)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nconnection: close" in head.lower()
        assert b"\r\ncontent-type: application/json\r\n" in head.lower()
        assert b"\r\ncontent-length: %d\r\n" % len(body) in head.lower()
        error = json.loads(body)["error"]
        assert says in error["message"]
        assert "bytearray" not in error["message"]
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


@pytest.mark.parametrize("lacking", ["sec-websocket-key: eA==\r\n", "sec-websocket-version: 13\r\n"])
async def test_half_a_websocket_handshake_is_a_usual_request(
    lacking: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whoever asks for an upgrade that cannot be must be able to do without it."""
    async with gateway(tmp_path, nobody) as g:
        whole = (
            "GET /v1/models/m HTTP/1.1\r\nhost: localhost\r\nconnection: close, upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-key: eA==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        said = await raw(g, whole.replace(lacking, "").encode())
        assert said.startswith(b"HTTP/1.1 200")
        assert said.endswith(b'"owned_by":"fake"}')


@pytest.mark.parametrize("stream", [False, True])
async def test_http_1_0_without_any_header(stream: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """No host, no type: an answer, and the connection ends with it."""
    async with gateway(tmp_path, hello) as g:
        body = json.dumps({**CHAT, "stream": stream}).encode()
        said = await raw(g, f"POST {URL} HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        assert b" 200 " in said.partition(b"\r\n")[0]
        assert b"transfer-encoding" not in said.lower()
        assert b'"content":"hello"' in said
        assert (await raw(g, b"GET /v1/models/m HTTP/1.0\r\n\r\n")).endswith(b'"owned_by":"fake"}')


@pytest.mark.parametrize(
    "path",
    ["responses", "responses/resp_1", "chat/completions/chatcmpl-1", "messages", "engines/e",
     "embeddings", "completions", "audio/speech", "images/generations", "files",
     "files/f/content", "moderations", "threads", "threads/t/messages", "assistants", "batches", "fine_tuning/jobs",
     "uploads", "vector_stores", "realtime", "containers", "conversations", "evals", "videos",
     "agents/a", "chatkit/sessions", "skills", "live/l"],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["/v1/", "/"])
async def test_endpoints_that_openai_has_and_piproxy_has_not(
    prefix: str, path: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """404 in OpenAI's shape with what there is instead, for any method."""
    async with gateway(tmp_path, nobody) as g:
        for method in ("POST", "GET", "DELETE"):
            reply = await ask(g, method, prefix + path, {} if method == "POST" else None)
            error = reply.json["error"]
            assert (reply.status, error["code"], error["type"]) == (
                404,
                "unsupported_endpoint",
                "invalid_request_error",
            )
            assert "/v1/chat/completions" in error["message"]


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "a%2fb/", "fake%2Fa%2Fb", "fake/a/b/"])
async def test_a_model_is_found_with_a_slash_at_the_end(id: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """And with slashes inside, raw or encoded, under either prefix."""
    async with gateway(tmp_path, nobody) as g:
        for prefix in ("/v1", ""):
            assert (await ask(g, "GET", f"{prefix}/models/{id}")).json["id"] == "a/b"


@pytest.mark.parametrize(("headers", "status"), [({}, 404), ({"origin": "https://evil.example"}, 403)])
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime", URL])
async def test_a_websocket_is_refused_in_the_same_shape(
    path: str, headers: Mapping[str, str], status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Codex asks for one first. One line in the log, no trace of anything that failed."""
    async with gateway(tmp_path, nobody) as g:
        shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        said = await raw(
            g,
            f"GET {path}?key=secret HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n{shown}"
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n".encode(),
        )
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d" % status)
        assert json.loads(body)["error"]["type"] == "invalid_request_error"
        assert b"x-request-id: req_" in head
        await wait_all_tasks_blocked()
        assert [(line["status"], line["path"], line["ending"]) for line in g.log] == [(status, path, "refused")]
        assert len(g.lines) == 1


async def test_a_long_name_is_not_given_back_whole(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Neither of a path nor of a model."""
    async with gateway(tmp_path, nobody) as g:
        for path in (f"/v1/models/{'m' * 30_000}", f"/v1/{'m' * 30_000}"):
            reply = await ask(g, "GET", path)
            assert reply.status == 404
            assert len(reply.body) < 1000
        reply = await ask(g, "POST", URL, {**CHAT, "model": "m" * 30_000})
        assert (reply.status, len(reply.body) < 1000) == (404, True)


SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"n": {"type": ["string", "null"], "pattern": "^a"}},
    "properties": {
        "a": {"$ref": "#/$defs/n"},
        "b": {"oneOf": [{"const": True}, {"type": "integer", "minimum": 2**60}]},
        "c": {"type": "object", "patternProperties": {"^x": True}, "additionalProperties": {"type": "string"}},
        "d": {"if": {"type": "string"}, "then": {"minLength": 1}, "else": False},
        "e": {"not": {"type": "null"}},
        "f": {"enum": [1, "a", None, 1.5]},
        "g": {"type": "array", "prefixItems": [{"type": "string"}], "items": False, "uniqueItems": True},
    },
    "required": ["a"],
    "additionalProperties": False,
    "x-own": {"z": [1]},
}


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a document."""
    members = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*([value] if isinstance(value, dict) else []), *(found for member in members for found in objects(member))]


@pytest.mark.parametrize("api", list(WIRES))
async def test_any_schema_is_carried_as_it_is(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """With references, combinators, patterns, booleans and words that nobody knows."""
    tool = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    async with gateway(tmp_path, HELLO, models=models_json()) as g:
        reply = await ask(g, "POST", URL, {**CHAT, "model": f"p-{api}/m", "tools": [tool]})
        assert reply.status == 200
        assert SCHEMA in objects(json.loads(g.provider.asked[0].body))


STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("api", list(WIRES))
async def test_strict_reaches_the_apis_that_have_it(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Where there is nothing like it, the header says so: it is never lost silently."""
    tool = {"type": "function", "function": {"name": "f", "parameters": STRICT, "strict": True}}
    async with gateway(tmp_path, HELLO, models=models_json()) as g:
        reply = await ask(g, "POST", URL, {**CHAT, "model": f"p-{api}/m", "tools": [tool]})
        sent = objects(json.loads(g.provider.asked[0].body))
        carried = any(found.get("strict") is True or found.get("mode") == "VALIDATED" for found in sent)
        assert carried != ("tools.strict" in reply.headers.get("x-piproxy-dropped-params", ""))
        assert carried or not api.startswith(("openai", "azure", "mistral"))


@pytest.mark.parametrize("api", list(WIRES))
async def test_null_is_absent(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """For every optional field, and for everything optional inside messages and tools: the same request goes out."""
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "t"},
    ]
    bare = {"model": f"p-{api}/m", "messages": messages, "tools": [{"type": "function", "function": function}]}
    inner = {"name": None, "cache_control": None}
    nulls = dict.fromkeys(
        ("content", "refusal", "audio", "function_call", "annotations", "reasoning_content", "reasoning_details")
    )
    full = {
        **{name: None for name in FIELDS if name not in bare},
        **bare,
        "messages": [{**message, **inner, **(nulls if message["role"] == "assistant" else {})} for message in messages],
        "tools": [{"type": "function", "function": {**function, "description": None, "strict": None}}],
    }
    async with gateway(tmp_path, HELLO, models=models_json()) as g:
        replies = [await ask(g, "POST", URL, body) for body in (bare, full)]
        assert [reply.status for reply in replies] == [200, 200], replies[1].body
        first, second = g.provider.asked
        assert json.loads(first.body) == json.loads(second.body)
        assert "x-piproxy-dropped-params" not in replies[1].headers


@pytest.mark.parametrize("api", list(WIRES))
async def test_content_arrays_for_every_role(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """System, developer, user, assistant and tool messages; the texts arrive in every room."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}

    def parts(*texts: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": text} for text in texts]

    messages = [
        {"role": "system", "content": parts("sys-1", "sys-2")},
        {"role": "developer", "content": parts("dev-1", "dev-2")},
        {"role": "user", "content": parts("user-1", "user-2")},
        {"role": "assistant", "content": parts("said-1", "said-2"), "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": parts("tool-1", "tool-2")},
        {"role": "user", "content": []},
        {"role": "user", "content": "end"},
    ]
    async with gateway(tmp_path, HELLO, models=models_json()) as g:
        reply = await ask(g, "POST", URL, {"model": f"p-{api}/m", "messages": messages, "tools": [tool]})
        assert reply.status == 200, reply.body
        sent = g.provider.asked[0].body
        for text in ("sys-1", "sys-2", "dev-1", "dev-2", "user-1", "user-2", "said-1", "said-2", "tool-1", "tool-2"):
            assert text.encode() in sent
