"""instructor: objects out of models, by tools, by JSON schema, streamed in parts; and plain text."""

from __future__ import annotations

import asyncio
from typing import Any

import instructor
from common import IMAGE, USER, Task, serve
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


async def leave(task: Task) -> dict[str, Any]:
    """Cancel the task that reads an object which still grows. Leaving the loop, or closing the generator, leaves the
    connection open; and the client that is not asynchronous reads to the end first."""
    raw = AsyncOpenAI(base_url=task.base_url, api_key=task.key, max_retries=0)
    client = instructor.from_openai(raw, mode=instructor.Mode.TOOLS)
    grown = asyncio.Event()

    async def read() -> None:
        common: Any = {"model": task.model, "response_model": Recipe, "max_retries": 0}
        async for part in client.chat.completions.create_partial(messages=[USER], **common):
            if len(part.steps or ()) > 1:
                grown.set()

    reading = asyncio.create_task(read())
    await grown.wait()
    reading.cancel()
    await asyncio.wait([reading])
    return {"left": reading.cancelled()}


def play(task: Task) -> Any:
    if task.scenario == "structured-abort":
        return leave(task)
    raw = OpenAI(base_url=task.base_url, api_key=task.key, max_retries=task.retries)
    modes = {"structured": instructor.Mode.JSON_SCHEMA, "structured-json": instructor.Mode.JSON}
    client = instructor.from_openai(raw, mode=modes.get(task.scenario, instructor.Mode.TOOLS))
    common: Any = {"model": task.model, "response_model": Recipe, "max_retries": 0}
    match task.scenario:
        case "text":
            said = client.chat.completions.create(messages=[USER], **{**common, "response_model": None})
            return {"text": said.choices[0].message.content}
        case "structured-stream":
            *_, last = client.chat.completions.create_partial(messages=[USER], **common)
            return {"object": last.model_dump()}
        case "structured-image":
            content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
            found = client.chat.completions.create(messages=[{"role": "user", "content": content}], **common)
            return {"object": found.model_dump()}
        case "structured-reasoning":
            completions = client.chat.completions
            found, said = completions.create_with_completion(messages=[USER], reasoning_effort="high", **common)
            return {"object": found.model_dump(), "reasoning": said.choices[0].message.reasoning_content}
        case _:
            found = client.chat.completions.create(messages=[USER], **common)
            return {"object": found.model_dump()}


serve(play)
