"""What all drivers in Python share: tasks come in as lines of JSON, what the client saw goes out as one line each."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

QUESTION: Final = "What is the answer?"
USER: Final[Any] = {"role": "user", "content": QUESTION}
PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
IMAGE: Final = f"data:image/png;base64,{PNG}"
RESULT: Final = "21 °C and sunny"
SCHEMA: Final[Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "minutes": {"type": "integer"},
        "steps": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "minutes", "steps"],
    "additionalProperties": False,
}
PARAMETERS: Final[Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
    "required": ["city"],
}
TOOL: Final[Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather in a city", "parameters": PARAMETERS},
}
RETRIED: Final = ("refused", "retry", "structured-retry", "overloaded", "cut")
"""Scenarios in which the client may ask again."""


@dataclass(frozen=True)
class Task:
    """One thing to do."""

    scenario: str
    base_url: str
    model: str
    key: str = os.environ.get("API_KEY", "")
    mode: str = os.environ.get("MODE", "")
    bin: str = os.environ.get("CLIENT_BIN", "")

    @property
    def retries(self) -> int:
        return 2 if self.scenario in RETRIED else 0


def serve(play: Callable[[Task], Any]) -> None:
    """Play tasks until there are no more. ``play`` gives what the client saw; what it raises is an error seen."""
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        task = Task(**json.loads(line))
        try:
            seen = play(task)
            if inspect.isawaitable(seen):
                seen = loop.run_until_complete(seen)
        except Exception as error:
            seen = {"error": f"{type(error).__name__}: {error}", "failed": True}
        sys.stdout.write(json.dumps(seen, default=str) + "\n")
        sys.stdout.flush()
