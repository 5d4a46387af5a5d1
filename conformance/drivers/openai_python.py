"""openai-python, sync and async, HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import httpx
import openai
from common import IMAGE, RESULT, SCHEMA, TOOL, USER, Task, serve


def client(task: Task) -> Any:
    common: Any = {"base_url": task.base_url, "api_key": task.key, "max_retries": task.retries}
    if task.mode == "sync":
        return openai.OpenAI(**common)
    if task.mode == "async":
        return openai.AsyncOpenAI(**common)

    def bare(request: httpx.Request) -> None:
        request.headers.pop("authorization", None)  # HTTP/2 is recorded without keys

    http = openai.DefaultHttpxClient(http1=False, http2=True, event_hooks={"request": [bare]})
    return openai.OpenAI(**common, http_client=http)


async def done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def chunks(stream: Any) -> Any:
    if hasattr(stream, "__aiter__"):
        async for chunk in stream:
            yield chunk
    else:
        for chunk in stream:
            yield chunk


class Asked:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.api = client(task)
        self.create = self.api.chat.completions.create

    async def whole(self, **fields: Any) -> Any:
        return await done(self.create(**{"model": self.task.model, "messages": [USER], **fields}))

    async def streamed(self, *, leave_after: int = 0, **fields: Any) -> dict[str, Any]:
        stream = await done(self.create(**{"model": self.task.model, "stream": True, "messages": [USER], **fields}))
        text, reasoning, calls, usage, finish, count = "", "", {}, None, None, 0
        async for chunk in chunks(stream):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                finish = choice.finish_reason or finish
                text += choice.delta.content or ""
                reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                for call in choice.delta.tool_calls or ():
                    known = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
                    known["id"] += call.id or ""
                    known["name"] += call.function.name or ""
                    known["arguments"] += call.function.arguments or ""
                count += bool(choice.delta.content)
            if leave_after and count == leave_after:
                await done(stream.close())
                if self.task.mode == "http2":  # httpx does not reset the stream; only the connection's end tells
                    self.api.close()
                return {"left": True}
        return {"text": text, "reasoning": reasoning, "calls": calls, "usage": usage, "finish": finish}


def results(calls: Any) -> list[Any]:
    return [{"role": "tool", "tool_call_id": call, "content": RESULT} for call in calls]


async def tools(asked: Asked) -> dict[str, Any]:
    first = (await asked.whole(tools=[TOOL])).choices[0].message
    history = [USER, first, *results(call.id for call in first.tool_calls)]
    second = (await asked.whole(messages=history, tools=[TOOL])).choices[0].message
    return {"calls": [json.loads(call.function.arguments) for call in first.tool_calls], "text": second.content}


async def tools_stream(asked: Asked) -> dict[str, Any]:
    usage = {"include_usage": True}
    first = await asked.streamed(tools=[TOOL], stream_options=usage)
    made = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in first["calls"].values()
    ]
    turn = {"role": "assistant", "content": first["text"] or None, "tool_calls": made}
    history = [USER, turn, *results(call["id"] for call in made)]
    second = await asked.streamed(messages=history, tools=[TOOL], stream_options=usage)
    return {"calls": [json.loads(call["arguments"]) for call in first["calls"].values()], "text": second["text"]}


async def history(asked: Asked) -> dict[str, Any]:
    text = {"type": "text", "text": "Part one. "}
    call = {"id": "call_old", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    messages: list[Any] = [
        {"role": "system", "content": [text, {"type": "text", "text": "Part two."}]},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [text], "name": "ann"},
        {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_old", "content": [{"type": "text", "text": "-3 °C"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "  It is cold.\n"}]},
        {"role": "user", "content": " And now? "},
    ]
    return {"text": (await asked.whole(messages=messages, tools=[TOOL])).choices[0].message.content}


async def fields(asked: Asked) -> dict[str, Any]:
    said = await asked.whole(
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=500,
        stop=["END", "STOP"],
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        n=1,
        logprobs=None,
        logit_bias={},
        user="user-1",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        parallel_tool_calls=True,
        tools=[TOOL],
        tool_choice="auto",
        verbosity="low",
        prompt_cache_key="key-1",
        safety_identifier="safe-1",
        reasoning_effort="low",
        response_format={"type": "text"},
        modalities=["text"],
    )
    return {"text": said.choices[0].message.content}


async def reasoning_whole(asked: Asked) -> dict[str, Any]:
    message = (await asked.whole(reasoning_effort="medium")).choices[0].message
    return {"text": message.content, "reasoning": getattr(message, "reasoning_content", None)}


async def structured(asked: Asked) -> dict[str, Any]:
    shape = {"type": "json_schema", "json_schema": {"name": "recipe", "strict": True, "schema": SCHEMA}}
    return {"object": json.loads((await asked.whole(response_format=shape)).choices[0].message.content)}


async def together(task: Task) -> dict[str, Any]:
    async def bare(request: httpx.Request) -> None:
        request.headers.pop("authorization", None)

    http = openai.DefaultAsyncHttpxClient(http1=False, http2=True, event_hooks={"request": [bare]})
    async with openai.AsyncOpenAI(base_url=task.base_url, api_key=task.key, max_retries=0, http_client=http) as api:

        async def one() -> str:
            stream = await api.chat.completions.create(model=task.model, messages=[USER], stream=True)
            return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

        await one()  # opens the connection
        texts = await asyncio.gather(*(one() for _ in range(4)))
    return {"text": "four answers" if len(set(texts)) == 1 else str(texts)}


async def play(task: Task) -> dict[str, Any]:
    asked = Asked(task)
    match task.scenario:
        case "text" | "retry" | "refused" | "overloaded" | "error":
            return {"text": (await asked.whole()).choices[0].message.content}
        case "length":
            choice = (await asked.whole(max_tokens=5)).choices[0]
            return {"text": choice.message.content, "finish": choice.finish_reason}
        case "stream" | "cut" | "error-stream":
            return await asked.streamed()
        case "usage":
            usage = (await asked.streamed(stream_options={"include_usage": True}))["usage"]
            cached = usage.prompt_tokens_details.cached_tokens
            return {"tokens": [usage.prompt_tokens, cached, usage.completion_tokens]}
        case "tools":
            return await tools(asked)
        case "tools-stream" | "parallel":
            return await tools_stream(asked)
        case "image":
            image = {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}}
            content = [{"type": "text", "text": "What is this?"}, image]
            said = await asked.whole(messages=[{"role": "user", "content": content}])
            return {"text": said.choices[0].message.content}
        case "structured":
            return await structured(asked)
        case "reasoning":
            return await asked.streamed(reasoning_effort="high")
        case "reasoning-whole":
            return await reasoning_whole(asked)
        case "history":
            return await history(asked)
        case "fields":
            return await fields(asked)
        case "abort":
            return await asked.streamed(leave_after=3)
        case "abort-whole":
            try:
                await asked.whole(timeout=1.0)
            except openai.APITimeoutError:
                return {"left": True}
        case "together":
            return await together(task)
        case "nobody":
            await asked.whole(model="nobody/nothing")
        case "models":
            listed = asked.api.models.list()
            ids = (
                [model.id for model in (await listed).data] if task.mode == "async" else [model.id for model in listed]
            )
            return {"models": task.model in ids}
    return {}


serve(play)
