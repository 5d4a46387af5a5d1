"""What clients are promised beside the answer itself: strictness, images, comments, opaque thinking."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.answers import WIRES, Said, models_json
from fakes.client import Reply
from fakes.gateway import CHAT, Gateway, gateway
from fakes.provider import DONE, Conversation, Provider, chunk
from fakes.sdk import saying
from trio.testing import MockClock

from piproxy.chat import Chat
from piproxy.server.live import LiveSettings
from piproxy.settings.load import Flag
from piproxy.upstream.connections import Origin
from piproxy.upstream.images import Guard, Images

URL = "/v1/chat/completions"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 24
HELLO = Said(text=["hello"])


async def ask(g: Gateway, body: Any, **headers: str) -> Reply:
    client = g.client()
    reply = await client.ask("POST", URL, body, **headers)
    await client.leave()
    return reply


@pytest.mark.parametrize(
    ("flags", "status", "dropped", "sent"),
    [
        ({}, 422, None, None),
        ({"strictness": "strict"}, 422, None, None),
        ({"strictness": "warn"}, 200, "wobble", None),
        ({"strictness": "pass"}, 200, None, {"deep": [1.0]}),
    ],
)
async def test_strictness(
    flags: Mapping[str, Flag],
    status: int,
    dropped: str | None,
    sent: Any,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """Unknown fields are refused, left out by name, or passed on."""
    async with gateway(tmp_path, saying(HELLO), models=models_json(), flags=flags) as g:
        reply = await ask(g, {**CHAT, "model": "p-openai-completions/m", "wobble": {"deep": [1.0]}})
        assert (reply.status, reply.headers.get("x-piproxy-dropped-params")) == (status, dropped)
        if status == 200:
            assert json.loads(g.provider.asked[0].body).get("wobble") == sent
        else:
            assert (reply.json["error"]["param"], reply.json["error"]["code"]) == ("wobble", "unsupported_parameter")


@pytest.mark.parametrize("api", list(WIRES))
async def test_strictness_pass_names_what_no_other_api_takes(
    api: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Where an unknown field is not passed on, the header says so: it is never lost silently."""
    async with gateway(tmp_path, saying(HELLO), models=models_json(), flags={"strictness": "pass"}) as g:
        reply = await ask(g, {**CHAT, "model": f"p-{api}/m", "wobble": 1})
        passed = b'"wobble"' in g.provider.asked[0].body
        assert passed != ("wobble" in reply.headers.get("x-piproxy-dropped-params", ""))


@pytest.mark.parametrize("source", ["file", "variable", "flag"])
def test_strictness_may_be_set_in_three_ways(source: str, tmp_path: Path) -> None:
    """By proxy-config.json, environment and flag."""
    path = tmp_path / "proxy-config.json"
    path.write_text('{"strictness": "warn"}' if source == "file" else "{}")
    environ = {"PI_PROXY_STRICTNESS": "warn"} if source == "variable" else {}
    flags: Mapping[str, Flag] = {"strictness": "warn"} if source == "flag" else {}
    assert LiveSettings(environ, path, flags).settings.strictness == "warn"


def image(url: str = "http://images.test/a.png") -> Any:
    part = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}]


async def test_images_by_address_are_refused_by_default(tmp_path: Path, autojump_clock: MockClock) -> None:
    """With the path and the way out; nothing is fetched."""
    async with gateway(tmp_path, saying(HELLO), models=models_json()) as g:
        reply = await ask(g, {"model": "p-openai-completions/m", "messages": image()})
        error = reply.json["error"]
        assert (reply.status, error["code"]) == (400, "unsupported_image_url")
        assert error["param"] == "messages[0].content[1].image_url.url"
        assert g.provider.asked == []


@pytest.mark.parametrize("api", list(WIRES))
async def test_images_by_address_where_they_are_allowed(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Passed on where the provider fetches them; else fetched here and sent as data."""
    fetched: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    async def png(talk: Conversation) -> None:
        fetched.append(talk.asked.target)
        await talk.head(content_type="image/png")
        await talk.data(PNG)
        await talk.end()

    async with trio.open_nursery() as nursery:
        web = Provider(nursery, png)

        async def dial(host: str, port: int) -> trio.abc.Stream:
            return await web.connect(Origin("http", host, port))

        async with Images(Guard(resolve=resolve, dial=dial), proxied=lambda url: False) as images:
            flags: Mapping[str, Flag] = {"remote_images": True}
            async with gateway(tmp_path, saying(HELLO), models=models_json(), flags=flags, images=images.inlined) as g:
                reply = await ask(g, {"model": f"p-{api}/m", "messages": image()})
                assert reply.status == 200
                body = g.provider.asked[0].body
                assert (b"http://images.test/a.png" in body) != (b"iVBORw0KGgo" in body)
                assert bool(fetched) == (b"iVBORw0KGgo" in body)
                bad = await ask(g, {"model": f"p-{api}/m", "messages": image("http://2130706433/x")})
                assert bad.status == (400 if fetched else 200)
        nursery.cancel_scope.cancel()


async def test_images_that_never_come_end_the_request(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The deadline is the exchange's."""

    async def never(chat: Chat) -> Chat:
        await trio.sleep_forever()
        raise AssertionError

    flags: Mapping[str, Flag] = {"remote_images": True}
    async with gateway(tmp_path, saying(HELLO), models=models_json(), flags=flags, images=never) as g:
        began = trio.current_time()
        reply = await ask(g, {"model": "p-pi-messages/m", "messages": image()})
        assert (reply.status, reply.json["error"]["code"]) == (504, "timeout")
        assert trio.current_time() - began == pytest.approx(30)
        assert g.provider.asked == []


@pytest.mark.parametrize(("every", "comments"), [(15.0, 2), (5.0, 8), (4.0, 10), (0.0, 0)])
async def test_comments_while_the_provider_is_silent(
    every: float, comments: int, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Between events, at the interval that is set, from the first event on; 0 is off."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="a"))
        await trio.sleep(42)
        await talk.data(chunk(content="b"), chunk(finish_reason="stop"), DONE)
        await talk.end()

    async with gateway(tmp_path, script, flags={"keep_alive_sec": every}) as g:
        reply = await ask(g, {**CHAT, "stream": True})
        assert reply.text == "ab"
        assert reply.body.count(b": keep-alive\n\n") == comments
        blocks = reply.body.decode().strip().split("\n\n")
        assert all(block == ": keep-alive" or block.startswith("data: ") for block in blocks)


async def test_comments_do_not_put_off_the_deadline(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The provider's silence is measured, not ours."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(chunk(content="a"))
        await trio.sleep_forever()

    async with gateway(tmp_path, script, flags={"keep_alive_sec": 5.0, "idle_timeout_sec": 60.0}) as g:
        began = trio.current_time()
        reply = await ask(g, {**CHAT, "stream": True})
        assert reply.frames[-2]["error"]["code"] == "timeout"
        assert reply.frames[-1] == "[DONE]"
        assert trio.current_time() - began == pytest.approx(60)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("wish", "shown"), [({}, False), ({"reasoning": {"effort": "high"}}, True)])
async def test_signed_thinking_is_given_to_whoever_knows_it(
    wish: dict[str, Any], shown: bool, streamed: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A client that asks in OpenRouter's words gets its ``reasoning_details``, and may give them back."""
    said = Said(thinking=["Rainy?"], text=["Yes."])
    async with gateway(tmp_path, saying(said), models=models_json()) as g:
        body = {**CHAT, "model": "p-anthropic-messages/m", "stream": streamed, "max_tokens": 9000, **wish}
        reply = await ask(g, body)
        if streamed:
            deltas = [frame["choices"][0]["delta"] for frame in reply.frames[:-1]]
            details = [item for delta in deltas for item in delta.get("reasoning_details", ())]
        else:
            details = reply.json["choices"][0]["message"].get("reasoning_details", [])
        assert [item["signature"] for item in details] == (["c2ln"] if shown else [])
        if shown:
            told = {"role": "assistant", "content": "Yes.", "reasoning_details": details}
            again = {**body, "messages": [*CHAT["messages"], told, {"role": "user", "content": "Why?"}]}
            assert (await ask(g, again)).status == 200
            assert b'"signature":"c2ln"' in g.provider.asked[1].body.replace(b": ", b":")


async def test_the_clients_own_key_leaves_configured_headers_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It replaces the key, and nothing else that models.json says."""
    models = models_json()
    models["providers"]["p-openai-completions"]["headers"] = {"X-Team": "blue"}
    async with gateway(tmp_path, saying(HELLO), models=models) as g:
        body = {**CHAT, "model": "p-openai-completions/m"}
        assert (await ask(g, body, x_pi_upstream_api_key="sk-the-clients-own-0123456789")).status == 200
        sent = g.provider.asked[0].headers
        assert (sent["authorization"], sent["x-team"]) == ("Bearer sk-the-clients-own-0123456789", "blue")


@pytest.mark.parametrize(
    ("api", "signature"),
    [("anthropic-messages", b"c2ln"), ("bedrock-converse-stream", b"c2ln"), ("google-vertex", b"dGg=")],
)
async def test_signatures_that_a_client_drops_are_remembered(
    api: str, signature: bytes, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Signed thinking goes back with the call that it led to, whoever lost it on the way."""

    async def signed(talk: Conversation) -> None:
        part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "dGg="}
        end = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
        await talk.head()
        await talk.data(b"data: " + json.dumps(end).encode() + b"\n\n")
        await talk.end()

    call = Said(thinking=["Rainy?"], calls=[("f", "{}")])
    script = saying(signed if api == "google-vertex" else call, HELLO)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    async with gateway(tmp_path, script, models=models_json()) as g:
        body = {**CHAT, "model": f"p-{api}/m", "tools": [tool], "reasoning_effort": "high", "max_tokens": 9000}
        made = (await ask(g, body)).json["choices"][0]["message"]["tool_calls"][0]
        bare = {"id": made["id"], "type": "function", "function": made["function"]}
        history = [
            *CHAT["messages"],
            {"role": "assistant", "tool_calls": [bare]},
            {"role": "tool", "tool_call_id": made["id"], "content": "rain"},
        ]
        assert (await ask(g, {**body, "messages": history})).status == 200
        assert signature in g.provider.asked[1].body
