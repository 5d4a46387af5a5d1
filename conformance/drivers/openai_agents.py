"""OpenAI's Agents SDK on chat completions."""

from __future__ import annotations

from typing import Any

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from common import IMAGE, QUESTION, RESULT, Task, serve
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel

set_tracing_disabled(disabled=True)


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


async def play(task: Task) -> dict[str, Any]:
    async with AsyncOpenAI(base_url=task.base_url, api_key=task.key, max_retries=task.retries) as client:
        return await ask(task, OpenAIChatCompletionsModel(task.model, client))


async def ask(task: Task, model: Any) -> dict[str, Any]:
    calls: list[Any] = []

    @function_tool
    def get_weather(city: str, unit: str) -> str:
        """The weather in a city"""
        calls.append({"city": city, "unit": unit})
        return RESULT

    tools = [get_weather] if task.scenario in ("tools", "tools-stream", "parallel") else []
    shape = Recipe if task.scenario == "structured" else None
    effort: Any = Reasoning(effort="high") if task.scenario == "reasoning" else None
    settings = ModelSettings(include_usage=True, reasoning=effort)
    agent = Agent(name="tester", model=model, tools=tools, output_type=shape, model_settings=settings)
    asked: Any = QUESTION
    if task.scenario == "image":
        asked = [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE, "detail": "auto"}]}]
    if task.scenario in ("stream", "tools-stream", "parallel", "cut", "error-stream", "abort", "usage", "reasoning"):
        running = Runner.run_streamed(agent, asked)
        async for event in running.stream_events():
            if task.scenario == "abort" and "output_text.delta" in str(getattr(event, "data", "")):
                running.cancel()
                return {"left": True}
        result: Any = running
    else:
        result = await Runner.run(agent, asked)
    seen: dict[str, Any] = {"text": result.final_output, "calls": calls}
    if shape is not None:
        seen["object"] = result.final_output.model_dump()
    if task.scenario == "usage":
        usage = result.context_wrapper.usage
        seen["tokens"] = [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens]
    return seen


serve(play)
