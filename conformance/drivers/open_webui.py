"""Open WebUI's backend: asked by its own API, it asks piproxy."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from common import IMAGE, QUESTION, RESULT, SCHEMA, TOOL, USER, Task, serve

HOME = Path(os.environ["HOME"])
PORT = 41999
ADDRESS = f"http://127.0.0.1:{PORT}"
SETTINGS = {
    "DATA_DIR": str(HOME / "data"),
    "WEBUI_AUTH": "False",
    "WEBUI_SECRET_KEY": "not-a-secret",
    "ENABLE_OLLAMA_API": "False",
    "OFFLINE_MODE": "True",
    "HF_HUB_OFFLINE": "1",
    "RAG_EMBEDDING_ENGINE": "openai",
    "BYPASS_EMBEDDING_AND_RETRIEVAL": "True",
    "ENABLE_VERSION_UPDATE_CHECK": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "true",
    "SCARF_NO_ANALYTICS": "true",
    "AIOHTTP_CLIENT_TIMEOUT": "30",
}


class Backend:
    """The running backend, and its administrator's token."""

    token = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self, task: Task) -> None:
        if self.process is not None:
            return
        command = [f"{task.bin}/open-webui", "serve", "--host", "127.0.0.1", "--port", str(PORT)]
        log = (HOME / "log").open("wb")
        self.process = subprocess.Popen(command, env={**os.environ, **SETTINGS}, cwd=HOME, stdout=log, stderr=log)
        atexit.register(self.process.kill)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for _ in range(700):  # it takes a minute, and many more on a busy machine
            time.sleep(0.5)
            try:
                self.token = self.ask("/api/v1/auths/signin", {"email": "", "password": ""})["token"]
            except (URLError, ConnectionError):
                continue
            return
        raise TimeoutError((HOME / "log").read_text()[-2000:])

    def ask(self, path: str, body: Any = None, timeout: float = 40) -> Any:
        with self.open(path, body, timeout) as answer:
            return json.loads(answer.read())

    def open(self, path: str, body: Any = None, timeout: float = 40) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        return urlopen(Request(ADDRESS + path, data, headers), timeout=timeout)


BACKEND = Backend()


def play(task: Task) -> dict[str, Any]:
    BACKEND.start(task)
    if not task.base_url:  # the variables at its start have to do
        return ask(task)
    settings = {"OPENAI_API_BASE_URLS": [task.base_url], "OPENAI_API_KEYS": [task.key], "OPENAI_API_CONFIGS": {}}
    BACKEND.ask("/openai/config/update", {"ENABLE_OPENAI_API": True, **settings})
    models = BACKEND.ask("/api/models?refresh=true")["data"]
    if task.scenario == "models":
        return {"models": task.model in [model["id"] for model in models]}
    try:
        return ask(task)
    except HTTPError as error:
        return {"error": error.read().decode(), "failed": True}


def ask(task: Task) -> dict[str, Any]:
    base: Any = {"model": task.model, "messages": [USER]}

    def whole(**fields: Any) -> Any:
        return BACKEND.ask("/api/chat/completions", {**base, "stream": False, **fields})["choices"][0]["message"]

    def deltas(**fields: Any) -> list[Any]:
        with BACKEND.open("/api/chat/completions", {**base, "stream": True, **fields}) as answer:
            frames = [line[6:] for line in answer.read().decode().split("\n") if line.startswith("data: ")]
        values = [json.loads(frame) for frame in frames if frame.strip() != "[DONE]"]
        if failure := next((value["error"] for value in values if "error" in value), None):
            raise ConnectionError(str(failure))
        return [choice["delta"] for value in values for choice in value.get("choices", ())]

    match task.scenario:
        case "text" | "error":
            return {"text": whole()["content"]}
        case "greeting":
            return {"text": whole(messages=[{"role": "user", "content": "Hi!"}])["content"]}
        case "stream" | "error-stream" | "cut":
            return {"text": "".join(delta.get("content") or "" for delta in deltas())}
        case "reasoning":
            found = deltas(reasoning_effort="high")
            return {
                "text": "".join(delta.get("content") or "" for delta in found),
                "reasoning": "".join(delta.get("reasoning_content") or "" for delta in found),
            }
        case "image":
            content = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": IMAGE}}]
            return {"text": whole(messages=[{"role": "user", "content": content}])["content"]}
        case "structured":
            shape = {"type": "json_schema", "json_schema": {"name": "recipe", "schema": SCHEMA}}
            return {"object": json.loads(whole(response_format=shape)["content"])}
        case "tools":
            first = whole(tools=[TOOL])
            turns = [{"role": "tool", "tool_call_id": call["id"], "content": RESULT} for call in first["tool_calls"]]
            second = whole(messages=[USER, first, *turns], tools=[TOOL])
            calls = [json.loads(call["function"]["arguments"]) for call in first["tool_calls"]]
            return {"calls": calls, "text": second["content"]}
        case "fields":
            extra = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 500, "seed": 7, "min_p": 0.05, "top_k": 40}
            many = {"stop": ["A", "B", "C", "D", "E"], "frequency_penalty": 0.1, "logit_bias": {}}
            return {"text": whole(**extra, **many)["content"]}
        case "abort":
            answer = BACKEND.open("/api/chat/completions", {**base, "stream": True})
            answer.read(1500)
            answer.close()
            return {"left": True}
    return {}


serve(play)
