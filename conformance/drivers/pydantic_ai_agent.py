"""pydantic-ai's OpenAI chat model."""

from __future__ import annotations

import base64
from typing import Any

from common import PNG, QUESTION, RESULT, Task, serve
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


async def play(task: Task) -> dict[str, Any]:
    async with AsyncOpenAI(base_url=task.base_url, api_key=task.key, max_retries=task.retries) as client:
        return await ask(task, OpenAIChatModel(task.model, provider=OpenAIProvider(openai_client=client)))


async def ask(task: Task, model: Any) -> dict[str, Any]:
    agent: Any = Agent(model, retries=0)
    calls: list[Any] = []

    def get_weather(city: str, unit: str = "celsius") -> str:
        """The weather in a city."""
        calls.append({"city": city, "unit": unit})
        return RESULT

    async def watch(_: Any, events: Any) -> None:
        async for _ in events:
            pass

    match task.scenario:
        case "text" | "retry" | "overloaded" | "error":
            return {"text": (await agent.run(QUESTION)).output}
        case "stream" | "cut" | "error-stream":
            async with agent.run_stream(QUESTION) as said:
                return {"text": await said.get_output()}
        case "abort":
            async with agent.run_stream(QUESTION) as said:
                async for _ in said.stream_text(delta=True, debounce_by=None):
                    return {"left": True}
        case "usage":
            async with agent.run_stream(QUESTION) as said:
                await said.get_output()
                usage = said.usage
                return {"tokens": [usage.input_tokens, usage.cache_read_tokens, usage.output_tokens]}
        case "tools" | "tools-stream" | "parallel":
            armed: Any = Agent(model, tools=[get_weather], retries=0)
            if task.scenario == "tools":
                return {"text": (await armed.run(QUESTION)).output, "calls": calls}
            return {"text": (await armed.run(QUESTION, event_stream_handler=watch)).output, "calls": calls}
        case "image":
            image = BinaryContent(base64.b64decode(PNG), media_type="image/png")
            return {"text": (await agent.run(["What is this?", image])).output}
        case "structured":
            by_schema: Any = Agent(model, output_type=NativeOutput(Recipe), retries=0)
            return {"object": (await by_schema.run(QUESTION)).output.model_dump()}
        case "structured-tool":
            by_tool: Any = Agent(model, output_type=Recipe, retries=0)
            return {"object": (await by_tool.run(QUESTION)).output.model_dump()}
        case "reasoning" | "reasoning-whole":
            settings = {"openai_reasoning_effort": "high"}
            streamed = watch if task.scenario == "reasoning" else None
            result = await agent.run(QUESTION, model_settings=settings, event_stream_handler=streamed)
            parts = result.all_messages()[-1].parts
            thought = "".join(part.content for part in parts if part.part_kind == "thinking")
            return {"text": result.output, "reasoning": thought}
    return {}


serve(play)
