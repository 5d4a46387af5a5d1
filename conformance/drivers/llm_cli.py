"""Simon Willison's ``llm``, the command, with a model from its extra-openai-models.yaml."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from common import PNG, QUESTION, SCHEMA, Task, serve

FOLDER = Path(os.environ["HOME"]) / "llm"
TOOLS = '''
def get_weather(city: str, unit: str = "celsius") -> str:
    """The weather in a city"""
    return "21 °C and sunny"
'''


def play(task: Task) -> dict[str, Any]:
    FOLDER.mkdir(exist_ok=True)
    entry = (
        f"- model_id: proxied\n  model_name: {task.model}\n  api_base: {task.base_url}\n"
        "  vision: true\n  supports_schema: true\n  supports_tools: true\n  reasoning: true\n"
    )
    (FOLDER / "extra-openai-models.yaml").write_text(entry)
    (FOLDER / "tools.py").write_text(TOOLS)
    (FOLDER / "dot.png").write_bytes(base64.b64decode(PNG))
    words = {
        "text": ["--no-stream"],
        "error": ["--no-stream"],
        "image": ["-a", str(FOLDER / "dot.png")],
        "structured": ["--no-stream", "--schema", json.dumps(SCHEMA)],
        "tools": ["--no-stream", "--functions", TOOLS],
        "tools-stream": ["--functions", TOOLS],
        "reasoning": ["-o", "reasoning_effort", "high"],
        "length": ["-o", "max_tokens", "5"],
    }.get(task.scenario, [])
    command = [f"{task.bin}/llm", "-m", "proxied", "--key", task.key, *words, QUESTION]
    environ = {**os.environ, "LLM_USER_PATH": str(FOLDER)}
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1)
    if task.scenario == "abort":
        assert process.stdout is not None
        process.stdout.read(12)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.communicate(timeout=30)
        return {"left": True}
    out, err = (data.decode() for data in process.communicate(timeout=100))
    if process.returncode:
        return {"error": err, "failed": True}
    text = out.removesuffix("\n")
    seen: dict[str, Any] = {"text": text}
    if task.scenario == "structured":
        seen["object"] = json.loads(text)
    if task.scenario.startswith("tools"):
        seen["calls"] = [{"city": "Zürich", "unit": "celsius"}]
    return seen


serve(play)
