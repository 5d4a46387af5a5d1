"""LiteLLM's SDK with an OpenAI-compatible server."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from common import IMAGE, RESULT, SCHEMA, TOOL, USER, Task, serve

litellm.suppress_debug_info = True
litellm.telemetry = False


def play(task: Task) -> dict[str, Any]:
    common: Any = {
        "model": f"openai/{task.model}",
        "api_base": task.base_url,
        "api_key": task.key,
        "num_retries": task.retries,
    }

    def whole(*messages: Any, **fields: Any) -> Any:
        return litellm.completion(messages=[*messages] or [USER], **common, **fields).choices[0].message

    def streamed(*messages: Any, **fields: Any) -> Any:
        chunks = list(litellm.completion(messages=[*messages] or [USER], stream=True, **common, **fields))
        return litellm.stream_chunk_builder(chunks)

    match task.scenario:
        case "text" | "retry" | "overloaded" | "error":
            return {"text": whole().content}
        case "stream" | "cut" | "error-stream":
            return {"text": streamed().choices[0].message.content}
        case "abort":
            stream: Any = litellm.completion(messages=[USER], stream=True, **common)
            for _ in range(4):
                next(stream)
            stream.completion_stream.close()
            return {"left": True}
        case "length":
            choice = litellm.completion(messages=[USER], max_tokens=5, **common).choices[0]
            return {"text": choice.message.content, "finish": choice.finish_reason}
        case "usage":
            usage = streamed(stream_options={"include_usage": True}).usage
            return {"tokens": [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens]}
        case "tools" | "tools-stream" | "parallel":
            first = whole(tools=[TOOL]) if task.scenario == "tools" else streamed(tools=[TOOL]).choices[0].message
            results = [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in first.tool_calls]
            second = whole(USER, first.model_dump(), *results, tools=[TOOL])
            return {"calls": [json.loads(call.function.arguments) for call in first.tool_calls], "text": second.content}
        case "image":
            image = {"type": "image_url", "image_url": {"url": IMAGE}}
            content = [{"type": "text", "text": "What is this?"}, image]
            return {"text": whole({"role": "user", "content": content}).content}
        case "structured":
            shape = {"type": "json_schema", "json_schema": {"name": "recipe", "strict": True, "schema": SCHEMA}}
            return {"object": json.loads(whole(response_format=shape).content)}
        case "reasoning":
            message = streamed(reasoning_effort="high", allowed_openai_params=["reasoning_effort"]).choices[0].message
            return {"text": message.content, "reasoning": message.reasoning_content}
        case "reasoning-whole":
            message = whole(reasoning_effort="high", allowed_openai_params=["reasoning_effort"])
            return {"text": message.content, "reasoning": message.reasoning_content}
    return {}


serve(play)
