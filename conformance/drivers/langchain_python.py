"""LangChain's ChatOpenAI."""

from __future__ import annotations

from typing import Any

from common import IMAGE, QUESTION, RESULT, SCHEMA, TOOL, Task, serve
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI


def text_of(message: Any) -> str:
    return str(message.text) if isinstance(message.text, str) else str(message.text())


def play(task: Task) -> dict[str, Any]:
    common: Any = {"base_url": task.base_url, "api_key": task.key, "model": task.model, "max_retries": task.retries}
    chat = ChatOpenAI(**common, use_responses_api=False)
    match task.scenario:
        case "text" | "retry" | "overloaded" | "error":
            return {"text": text_of(chat.invoke(QUESTION))}
        case "stream" | "cut" | "error-stream":
            return {"text": "".join(text_of(chunk) for chunk in chat.stream(QUESTION))}
        case "abort":
            for count, chunk in enumerate(stream := chat.stream(QUESTION)):
                if text_of(chunk) and count > 3:
                    stream.close()
                    chat.root_client.close()
                    return {"left": True}
        case "length":
            said = ChatOpenAI(**common, max_tokens=5).invoke(QUESTION)
            return {"text": text_of(said), "finish": said.response_metadata["finish_reason"]}
        case "usage":
            whole = None
            for chunk in chat.stream(QUESTION, stream_usage=True):
                whole = chunk if whole is None else whole + chunk
            usage: Any = whole.usage_metadata if whole else None
            return {
                "tokens": [usage["input_tokens"], usage["input_token_details"]["cache_read"], usage["output_tokens"]]
            }
        case "tools" | "tools-stream" | "parallel":
            bound = chat.bind_tools([TOOL])
            asked: list[Any] = [HumanMessage(QUESTION)]
            first: Any = None
            if task.scenario == "tools":
                first = bound.invoke(asked)
            else:
                for chunk in bound.stream(asked):
                    first = chunk if first is None else first + chunk
            results = [ToolMessage(RESULT, tool_call_id=call["id"]) for call in first.tool_calls]
            second = bound.invoke([*asked, first, *results])
            return {"calls": [call["args"] for call in first.tool_calls], "text": text_of(second)}
        case "image":
            image = {"type": "image_url", "image_url": {"url": IMAGE}}
            content: Any = [{"type": "text", "text": "What is this?"}, image]
            return {"text": text_of(chat.invoke([HumanMessage(content)]))}
        case "structured":
            schema = {"title": "recipe", "description": "A recipe", **SCHEMA}
            return {"object": chat.with_structured_output(schema, method="json_schema").invoke(QUESTION)}
        case "reasoning":
            thinker = ChatOpenAI(**common, reasoning_effort="high")
            return {"text": "".join(text_of(chunk) for chunk in thinker.stream(QUESTION))}
        case "fields":
            said = ChatOpenAI(
                **common,
                n=1,
                seed=7,
                temperature=0.5,
                top_p=0.9,
                frequency_penalty=0.1,
                presence_penalty=0.1,
                stop=["END"],
                logit_bias={},
                logprobs=False,
                store=False,
                verbosity="low",
                service_tier="auto",
                model_kwargs={"user": "user-1"},
            ).invoke(QUESTION)
            return {"text": text_of(said)}
    return {}


serve(play)
