"""Traps that the original fell into, and that we do not share: each through the served app.

One test per trap, in the words of the list of known traps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.answers import WIRES, Said, models_json
from fakes.client import Reply
from fakes.gateway import CHAT, KEY, MODELS, Gateway, gateway
from fakes.provider import DONE, Conversation, chunk
from fakes.sdk import refusing, saying
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.errors import ConfigError

every_api = pytest.mark.parametrize("api", list(WIRES))
ARGUMENTS = '{"id": 90071992547409931234, "x": 1.0, "y": 1e3,  "z": "\\u00e9"}'
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
URL = "/v1/chat/completions"


async def ask(g: Gateway, body: Any, **headers: str) -> Reply:
    client = g.client()
    reply = await client.ask("POST", URL, body, **headers)
    await client.leave()
    return reply


def to(api: str, **fields: Any) -> dict[str, Any]:
    return {"model": f"p-{api}/m", "messages": [{"role": "user", "content": "hello"}], **fields}


def texts(value: Any) -> list[str]:
    """Every string in a document."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for member in value for text in texts(member)] if isinstance(value, list) else []


@every_api
async def test_strings_are_not_trimmed(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Neither what the client says nor its stop sequences nor what the model says."""
    said = "\n  if x:\n\t"
    async with gateway(tmp_path, saying(Said(text=["  a ", " b\n\n"])), models=models_json()) as g:
        body = to(api, messages=[{"role": "user", "content": said}], stop=["\n X "])
        reply = await ask(g, body)
        assert reply.json["choices"][0]["message"]["content"] == "  a  b\n\n"
        sent = texts(json.loads(g.provider.asked[0].body))
        assert said in sent
        if api not in {"openai-responses", "azure-openai-responses", "openai-codex-responses", "pi-messages"}:
            assert "\n X " in sent  # the Responses family has no stop sequences: there we stop by ourselves


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("arguments", [ARGUMENTS, '{"cut": "off', "not json"])
@pytest.mark.parametrize("api", ["openai-completions", "openai-responses", "mistral-conversations"])
async def test_tool_arguments_are_not_written_anew(
    api: str, arguments: str, streamed: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Big integers, ``1.0``, spaces, escapes and text that is no JSON: byte for byte, in both directions."""
    async with gateway(tmp_path, saying(Said(calls=[("f", arguments)])), models=models_json()) as g:
        call = {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": arguments}}
        history = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_9", "content": "y"},
        ]
        reply = await ask(g, to(api, messages=history, tools=[TOOL], stream=streamed))
        assert arguments in texts(json.loads(g.provider.asked[0].body))
        assert _arguments(reply, streamed) == arguments


@every_api
async def test_big_integers_survive_where_arguments_are_objects(
    api: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """As numbers, not as what a double makes of them; ``1.0`` stays a float."""
    async with gateway(tmp_path, saying(Said(calls=[("f", ARGUMENTS)])), models=models_json()) as g:
        made = json.loads(_arguments(await ask(g, to(api, tools=[TOOL])), streamed=False))
        assert made["id"] == 90071992547409931234
        assert isinstance(made["x"], float)


def _arguments(reply: Reply, streamed: bool) -> str:
    if not streamed:
        return str(reply.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
    deltas = [frame["choices"][0]["delta"] for frame in reply.frames[:-1]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    return "".join(call["function"].get("arguments") or "" for call in calls)


@every_api
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_without_arguments_is_an_empty_object(
    api: str, streamed: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Clients parse what they get, and ``""`` is no JSON."""
    empty = "{}" if api.startswith(("google", "pi")) else ""
    async with gateway(tmp_path, saying(Said(calls=[("f", empty)])), models=models_json()) as g:
        assert _arguments(await ask(g, to(api, tools=[TOOL], stream=streamed)), streamed) == "{}"


@every_api
async def test_an_empty_tool_result_shows_no_image(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The model is not told to look at an attachment that is not there."""
    call = {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_9", "content": ""},
    ]
    async with gateway(tmp_path, saying(Said(text=["ok"])), models=models_json()) as g:
        assert (await ask(g, to(api, messages=history, tools=[TOOL]))).status == 200
        assert b"attached" not in g.provider.asked[0].body


@every_api
async def test_no_effort_switches_no_thinking_on(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """``none`` is off; the model is asked for no thinking at all."""
    async with gateway(tmp_path, saying(Said(text=["ok"])), models=models_json()) as g:
        assert (await ask(g, to(api, reasoning_effort="none"))).status == 200
        sent = json.loads(g.provider.asked[0].body)
        efforts = {"minimal", "low", "medium", "high", "xhigh", "max"}
        for name in ("reasoning_effort", "reasoning", "thinking", "output_config", "generationConfig", "options"):
            assert not efforts & set(texts(sent.get(name))), name
        assert sent.get("thinking", {}).get("type") != "enabled"
        assert sent.get("additionalModelRequestFields", {}).get("thinking", {}).get("type") != "enabled"
        budget = sent.get("generationConfig", {}).get("thinkingConfig", {}).get("thinkingBudget", 0)
        assert budget == 0


@every_api
async def test_words_do_not_make_a_rate_limit(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A 400 whose text has "rate" and "limit" in it stays a 400."""

    async def script(talk: Conversation) -> None:
        await talk.json(400, b'{"error": {"message": "Separate the items: the limit of 5 integrated tools"}}')

    async with gateway(tmp_path, script, models=models_json()) as g:
        reply = await ask(g, to(api))
        assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")


@every_api
@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [(402, 429, "insufficient_quota"), (404, 404, "model_not_found"), (413, 413, None), (422, 400, None)],
)
async def test_the_providers_refusals_keep_their_meaning(
    api: str, upstream: int, status: int, code: str | None, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """None of them becomes a 502, which clients would repeat."""
    async with gateway(tmp_path, refusing(upstream), models=models_json()) as g:
        reply = await ask(g, to(api))
        assert reply.status == status
        assert code is None or reply.json["error"]["code"] == code
        assert reply.headers.get("x-should-retry") != "true"


@every_api
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_stream_that_fails_at_once_is_no_200(
    api: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The status line waits for the provider's own."""
    async with gateway(tmp_path, refusing(status), models=models_json()) as g:
        streamed = await ask(g, to(api, stream=True))
        whole = await ask(g, to(api))
        assert streamed.status == whole.status >= 400
        assert streamed.json == whole.json
        assert streamed.headers["content-type"] == "application/json"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refusal_is_not_lost(streamed: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """It stays apart from the content."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(refusal="I must "), chunk(refusal="not."), chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, script) as g:
        reply = await ask(g, {**CHAT, "stream": streamed})
        if streamed:
            deltas = [frame["choices"][0]["delta"] for frame in reply.frames[:-1]]
            assert "".join(delta.get("refusal") or "" for delta in deltas) == "I must not."
            assert not any(delta.get("content") for delta in deltas)
        else:
            message = reply.json["choices"][0]["message"]
            assert (message["refusal"], message["content"]) == ("I must not.", None)


async def test_a_conflict_of_universal_ids_stops_the_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It is said when the proxy starts, not with a 500 to each request."""
    twin = {**MODELS["providers"]["fake"], "baseUrl": "http://other.test/v1"}
    models = {"providers": {**MODELS["providers"], "twin": twin}}
    async with gateway(tmp_path, refusing(500), models=models, flags={"public_model_id_mode": "universal"}) as g:
        with pytest.raises(ConfigError, match="universal"):
            await g.engine.exposure()


@pytest.mark.parametrize("id", ["%", "%zz", "a%2", "%ff%fe", "%00", "..%2f..%2fetc"])
async def test_a_bad_escape_in_an_id_is_no_500(id: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """There is no such model, and that is all."""
    async with gateway(tmp_path, refusing(500)) as g:
        client = g.client()
        reply = await client.ask("GET", f"/v1/models/{id}")
        assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")
        await client.leave()


async def test_chunked_uploads_have_the_same_limit(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Bytes are counted as they come, whether their number was announced or not."""
    async with gateway(tmp_path, refusing(500), flags={"max_body_size_mb": 1}) as g:
        client = g.client()
        size = 1024 * 1024 + 1
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        await client.stream.send_all(head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
        reply = await client.rest(await client.head())
        assert (reply.status, reply.json["error"]["code"]) == (413, "request_too_large")
        await client.leave()


async def test_a_slow_key_command_blocks_nobody_else(tmp_path: Path) -> None:
    """Requests to other providers are answered while it runs."""
    mark = tmp_path / "go"
    program = f"import os, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)\nprint('k3y-from-a-command')"
    script = tmp_path / "key.py"
    script.write_text(program)
    slow = {**MODELS["providers"]["fake"], "apiKey": f'!"{sys.executable}" "{script}"', "models": [{"id": "late"}]}
    models = {"providers": {**MODELS["providers"], "late": slow}}
    async with gateway(tmp_path, saying_hello, models=models) as g, trio.open_nursery() as nursery:
        waiting: list[int] = []
        done = trio.Event()

        async def wait() -> None:
            waiting.append((await ask(g, {**CHAT, "model": "late"})).status)
            done.set()

        nursery.start_soon(wait)
        with trio.fail_after(20):
            assert (await ask(g, CHAT)).status == 200
            assert waiting == []
            mark.touch()
            await done.wait()
        assert waiting == [200]
        assert g.provider.asked[-1].headers["authorization"] == "Bearer k3y-from-a-command"


async def saying_hello(talk: Conversation) -> None:
    await talk.head()
    await talk.data(chunk(content="hello"), chunk(finish_reason="stop"), DONE)
    await talk.end()


async def test_a_failing_key_command_is_not_shown(tmp_path: Path) -> None:
    """Its command line may hold a secret; the client learns which provider has no key, and what to do."""
    command = "!exit 3 # --password hunter2-secret-word"
    broken = {**MODELS["providers"]["fake"], "apiKey": command}
    async with gateway(tmp_path, refusing(500), models={"providers": {"fake": broken}}) as g:
        reply = await ask(g, CHAT)
        assert (reply.status, reply.headers["x-should-retry"]) == (502, "false")
        assert "'fake'" in reply.json["error"]["message"]
        await wait_all_tasks_blocked()
        assert "hunter2" not in reply.body.decode() + str(reply.headers) + "".join(g.lines)


@every_api
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_keys_that_providers_repeat_go_nowhere(
    api: str, status: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The provider shows all that it was sent, the bare key as well; the gateway of these tests looks for it."""
    async with gateway(tmp_path, refusing(status), models=models_json()) as g:
        reply = await ask(g, to(api))
        assert "***" in reply.json["error"]["message"]
        assert WIRES[api].key not in reply.body.decode()
        mine = await ask(g, to(api), x_pi_upstream_api_key=WIRES[api].key[::-1] if api[7:12] != "codex" else KEY)
        assert mine.status >= 400


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_schemes_case_does_not_matter(scheme: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """As HTTP says."""
    async with gateway(tmp_path, saying_hello, flags={"auth_token": "t0ken-of-the-proxy"}) as g:
        assert (await ask(g, CHAT, authorization=f"{scheme} t0ken-of-the-proxy")).status == 200
        assert (await ask(g, CHAT, authorization=f"{scheme} t0ken-of-another")).status == 401
