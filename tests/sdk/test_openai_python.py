"""openai-python itself, strict validation on, against every room over a scripted provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
import trio
from fakes import sdk
from fakes.answers import WIRES, Said, models_json
from fakes.gateway import gateway
from fakes.provider import Conversation
from fakes.sdk import refusing, saying
from pydantic import BaseModel
from trio.testing import MockClock, wait_all_tasks_blocked

pytestmark = [
    # The SDK stops reading at [DONE] and leaves its generators, and httpx's, to the garbage collector.
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
every_api = pytest.mark.parametrize("api", list(WIRES))
HELLO = Said(text=["It rains ", "in Köln ☔.\n"])
THOUGHT = Said(thinking=["Rain", "y?"], text=["Yes."])
CALLS: list[tuple[str, str]] = [("get_weather", '{"city":"Köln"}'), ("get_time", '{"city":"Paris","at":1.5}')]
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_weather", "get_time")
]
ASK: Any = [{"role": "user", "content": "Does it rain?"}]


class Weather(BaseModel):
    """A class for the SDK's ``parse``."""

    city: str
    rain: bool


def model(api: str) -> str:
    return f"p-{api}/m"


@every_api
async def test_text(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A whole answer passes the SDK's strict validation: text, ids, usage and cost."""
    async with gateway(tmp_path, saying(HELLO), models=models_json()) as g, sdk.openai(g) as client:
        raw = await client.chat.completions.with_raw_response.create(model=model(api), messages=ASK)
        answer = raw.parse()
        assert raw.headers["content-type"] == "application/json"
        assert answer.id.startswith("chatcmpl-")
        assert answer.object == "chat.completion"
        assert answer.choices[0].message.content == "It rains in Köln ☔.\n"
        assert (answer.choices[0].finish_reason, answer.choices[0].message.refusal) == ("stop", None)
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (15, 7, 22)
        assert answer.usage.prompt_tokens_details is not None
        assert answer.usage.prompt_tokens_details.cached_tokens == 4
        assert json.loads(raw.text)["usage"]["cost"] == pytest.approx((11 + 14 + 2) / 1e6)


@every_api
async def test_streamed_text(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Role first, then content, then the reason, then the usage that was asked for; every chunk is valid."""
    async with gateway(tmp_path, saying(HELLO), models=models_json()) as g, sdk.openai(g) as client:
        stream = await client.chat.completions.create(
            model=model(api), messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert len({(chunk.id, chunk.model, chunk.object, chunk.created) for chunk in chunks}) == 1
        assert chunks[0].choices[0].delta.role == "assistant"
        assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == "It rains in Köln ☔.\n"
        assert [c.choices[0].finish_reason for c in chunks[-3:-1]] == [None, "stop"]
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == 22
        assert all(chunk.usage is None for chunk in chunks[:-1])


@every_api
async def test_the_stream_helper(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The SDK's own accumulator makes the same message of the stream as of the whole answer."""
    said = Said(text=["I ", "look."], calls=CALLS)
    async with gateway(tmp_path, saying(said), models=models_json()) as g, sdk.openai(g) as client:
        async with client.chat.completions.stream(model=model(api), messages=ASK, tools=TOOLS) as stream:
            kinds = {event.type async for event in stream}
            final = await stream.get_final_completion()
        whole = await client.chat.completions.create(model=model(api), messages=ASK, tools=TOOLS)
        assert {"content.delta", "content.done", "tool_calls.function.arguments.done"} <= kinds
        streamed, folded = final.choices[0], whole.choices[0]
        assert streamed.finish_reason == folded.finish_reason == "tool_calls"
        assert streamed.message.content == folded.message.content == "I look."
        assert [_call(call) for call in streamed.message.tool_calls or ()] == [
            _call(call) for call in folded.message.tool_calls or ()
        ]


@every_api
@pytest.mark.parametrize("calls", [CALLS[:1], CALLS, [("get_time", "{}")]], ids=["one", "parallel", "empty"])
async def test_tools(api: str, calls: list[tuple[str, str]], tmp_path: Path, autojump_clock: MockClock) -> None:
    """Names and arguments arrive; the results go back, and the model goes on."""
    script = saying(Said(calls=calls), HELLO)
    async with gateway(tmp_path, script, models=models_json()) as g, sdk.openai(g) as client:
        asked = await client.chat.completions.create(model=model(api), messages=ASK, tools=TOOLS)
        message = asked.choices[0].message
        assert asked.choices[0].finish_reason == "tool_calls"
        made = message.tool_calls or []
        assert [_call(call) for call in made] == calls
        assert len({call.id for call in made}) == len(calls)
        results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in made]
        history: Any = [*ASK, message.model_dump(), *results]
        after = await client.chat.completions.create(model=model(api), messages=history, tools=TOOLS)
        assert after.choices[0].message.content == "It rains in Köln ☔.\n"
        assert g.provider.asked[1].body.count(b"rain") >= len(calls)


def _call(call: Any) -> tuple[str, str]:
    """Gemini and pi give arguments as objects; how those are spaced is ours."""
    return call.function.name, json.dumps(
        json.loads(call.function.arguments), separators=(",", ":"), ensure_ascii=False
    )


@every_api
async def test_structured_output(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """``parse`` gives an object of the client's class: by the API's own field, or by a tool that must be called."""
    text = '{"city":"Köln","rain":true}'

    async def script(talk: Conversation) -> None:
        forced = [tool["name"] for tool in _forced(json.loads(talk.asked.body))]
        said = Said(calls=[(forced[0], text)]) if forced else Said(text=[text])
        await saying(said)(talk)

    async with gateway(tmp_path, script, models=models_json()) as g, sdk.openai(g) as client:
        answer = await client.chat.completions.parse(model=model(api), messages=ASK, response_format=Weather)
        assert answer.choices[0].message.parsed == Weather(city="Köln", rain=True)
        assert answer.choices[0].finish_reason == "stop"
        assert not answer.choices[0].message.tool_calls


def _forced(body: Any) -> list[Any]:
    """The tools of a request without any of the client's."""
    config = body.get("toolConfig") or {}
    if isinstance(config, dict) and "tools" in config:
        return [tool["toolSpec"] for tool in config["tools"] if "toolSpec" in tool]
    return [tool for tool in body.get("tools") or () if "input_schema" in tool]


@every_api
@pytest.mark.parametrize("streamed", [False, True])
async def test_thinking(api: str, streamed: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """``reasoning_content`` beside the text."""
    async with gateway(tmp_path, saying(THOUGHT), models=models_json()) as g, sdk.openai(g) as client:
        ask: Any = {"model": model(api), "messages": ASK, "reasoning_effort": "high"}
        if streamed:
            chunks = [chunk async for chunk in await client.chat.completions.create(**ask, stream=True)]
            deltas = [chunk.choices[0].delta for chunk in chunks]
            thought = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
            text = "".join(delta.content or "" for delta in deltas)
        else:
            message = (await client.chat.completions.create(**ask)).choices[0].message
            thought, text = getattr(message, "reasoning_content", ""), message.content or ""
        assert (thought, text) == ("Rainy?", "Yes.")


@every_api
@pytest.mark.parametrize(
    ("status", "error", "tries"),
    [
        (400, openai.BadRequestError, 1),
        (404, openai.NotFoundError, 1),
        (413, openai.APIStatusError, 1),
        (422, openai.BadRequestError, 1),
        (402, openai.RateLimitError, 1),  # no money: a 429 that says that waiting is no use
        (401, openai.InternalServerError, 1),  # our key, not the client's: 502, and trying again is no use
        (403, openai.InternalServerError, 1),
        (429, openai.RateLimitError, 3),
        (500, openai.InternalServerError, 3),
        (503, openai.InternalServerError, 3),
        (504, openai.InternalServerError, 3),
        (529, openai.InternalServerError, 3),
    ],
)
async def test_retries_that_help_are_made(
    api: str,
    status: int,
    error: type[Exception],
    tries: int,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """The SDK's own loop asks again for overload and limits, and only then; what is left is the right exception."""
    script = saying(refusing(status))
    async with gateway(tmp_path, script, models=models_json()) as g, sdk.openai(g) as client:
        with pytest.raises(error):
            await client.chat.completions.create(model=model(api), messages=ASK, stream=status in (404, 503))
        if (api, status) == ("openai-codex-responses", 429):
            tries = 1  # there it is a used-up plan: waiting for seconds is no use
        assert len(g.provider.asked) == tries


@every_api
async def test_a_retry_succeeds(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """After the pause that the provider asked for."""
    status = 503 if api == "openai-codex-responses" else 429
    script = saying(refusing(status, retry_after="7"), HELLO)
    async with gateway(tmp_path, script, models=models_json()) as g, sdk.openai(g) as client:
        began = trio.current_time()
        answer = await client.chat.completions.create(model=model(api), messages=ASK)
        assert answer.choices[0].message.content == "It rains in Köln ☔.\n"
        assert 7 <= trio.current_time() - began < 8


@every_api
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_breaks_off_is_an_error(
    api: str, streamed: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """In the middle of a stream an exception and no second request; never an invented end."""
    wire = WIRES[api]

    async def script(talk: Conversation) -> None:
        data = wire.write(Said(text=["It rains ", "in Köln and ", "everywhere else. " * 9]))
        await talk.head(content_type=wire.content_type)
        await talk.data(data[: len(data) // 2])
        await talk.break_off()

    async with gateway(tmp_path, script, models=models_json()) as g, sdk.openai(g, max_retries=0) as client:
        got = []
        with pytest.raises(openai.APIError):
            answer: Any = await client.chat.completions.create(model=model(api), messages=ASK, stream=streamed)
            async for chunk in answer:
                got += [choice.finish_reason for choice in chunk.choices]
        assert not any(got)
        assert len(g.provider.asked) == 1


@pytest.mark.parametrize(
    ("change", "error", "param"),
    [
        ({"n": 2}, openai.UnprocessableEntityError, "n"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"model": "nobody/m"}, openai.NotFoundError, "model"),
        ({"extra_body": {"wobble": 1}}, openai.UnprocessableEntityError, "wobble"),
    ],
)
async def test_what_is_the_clients_fault(
    change: dict[str, Any], error: type[openai.APIStatusError], param: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The exception's ``param`` and ``code`` are filled, and nothing is tried again."""
    async with gateway(tmp_path, saying(HELLO), models=models_json()) as g, sdk.openai(g) as client:
        with pytest.raises(error) as caught:
            await client.chat.completions.create(**{"model": model("pi-messages"), "messages": ASK, **change})
        assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")
        assert g.provider.asked == []
        await wait_all_tasks_blocked()
        assert len(g.log) == 1


async def test_models(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The SDK lists and retrieves."""
    async with gateway(tmp_path, saying(HELLO), models=models_json()) as g, sdk.openai(g) as client:
        listed = [entry async for entry in client.models.list()]
        assert {f"p-{api}" for api in WIRES} <= {entry.owned_by for entry in listed}
        assert (await client.models.retrieve(listed[0].id)).id == listed[0].id
