"""instructor: objects out of models, by tools, by JSON schema, streamed in parts."""

from __future__ import annotations

from typing import Any

import instructor
from common import IMAGE, USER, Task, serve
from openai import OpenAI
from pydantic import BaseModel


class Recipe(BaseModel):
    name: str
    minutes: int
    steps: list[str]


def play(task: Task) -> dict[str, Any]:
    raw = OpenAI(base_url=task.base_url, api_key=task.key, max_retries=task.retries)
    modes = {"structured": instructor.Mode.JSON_SCHEMA, "structured-json": instructor.Mode.JSON}
    client = instructor.from_openai(raw, mode=modes.get(task.scenario, instructor.Mode.TOOLS))
    common: Any = {"model": task.model, "response_model": Recipe, "max_retries": 0}
    match task.scenario:
        case "structured-stream":
            *_, last = client.chat.completions.create_partial(messages=[USER], **common)
            return {"object": last.model_dump()}
        case "structured-image":
            content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
            found = client.chat.completions.create(messages=[{"role": "user", "content": content}], **common)
            return {"object": found.model_dump()}
        case _:
            found = client.chat.completions.create(messages=[USER], **common)
            return {"object": found.model_dump()}


serve(play)
