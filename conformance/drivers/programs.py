"""Programs that are driven by their command line: coding agents and an evaluator."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from common import PNG, QUESTION, SCHEMA, TOOL, Task, serve

HOME = Path(os.environ["HOME"])
PROJECT = HOME / "project"
NOTE = "The weather in Zürich: 21 °C and sunny.\n"
ASKED = {"agent": "Read note.txt and tell me the weather.", "image": "What is in this image?"}
BEGAN = HOME / "began"
"""Made by the recorder when the answer that will be broken off has begun."""
LONGEST = 240
"""Seconds for one program: some take long to start on a busy machine."""

Command = tuple[list[str], dict[str, str]]


def pi(task: Task) -> Command:
    """pi itself, with piproxy as a provider of its own in models.json."""
    agent = HOME / "agent"
    agent.mkdir(exist_ok=True)
    model = {
        "id": task.model,
        "name": task.model,
        "reasoning": True,
        "input": ["text", "image"],
        "contextWindow": 128000,
        "maxTokens": 8192,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }
    provider = {"baseUrl": task.base_url, "api": "openai-completions", "apiKey": task.key, "models": [model]}
    (agent / "models.json").write_text(json.dumps({"providers": {"piproxy": provider}}))
    # Its first wait is two seconds; half of one is enough here.
    (agent / "settings.json").write_text(json.dumps({"retry": {"enabled": True, "baseDelayMs": 500}}))
    words = ["--provider", "piproxy", "--model", task.model, "-p", "--no-session", "--offline"]
    words += ["--thinking", "high" if task.scenario == "reasoning" else "off"]
    if task.scenario not in ("agent", "fields"):
        words += ["--no-tools"]
    if task.scenario == "image":
        words += ["@dot.png"]
    return [f"{task.bin}/pi", *words, asked(task)], {"PI_CODING_AGENT_DIR": str(agent)}


def opencode(task: Task) -> Command:
    """opencode, with a provider for anything compatible."""
    effort = {"reasoningEffort": "high"} if task.scenario == "reasoning" else {}
    ability = {"tool_call": True, "reasoning": True, "attachment": True}
    kinds = {"input": ["text", "image"], "output": ["text"]}
    shape = {"modalities": kinds, "limit": {"context": 128000, "output": 8192}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": task.base_url, "apiKey": task.key},
        "models": {task.model: {"name": task.model, **ability, **shape, "options": effort}},
    }
    settings = {"provider": {"piproxy": provider}, "autoupdate": False, "share": "disabled"}
    path = HOME / "opencode.json"
    path.write_text(json.dumps(settings))
    environ = {
        "OPENCODE_CONFIG": str(path),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    words = ["-f", "dot.png"] if task.scenario == "image" else []
    return [f"{task.bin}/opencode", "run", "-m", f"piproxy/{task.model}", asked(task), *words], environ


def object_of_opencode(task: Task, environ: dict[str, str]) -> dict[str, Any]:
    """An object after a schema, which only opencode's server takes."""
    command = [f"{task.bin}/opencode", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environ, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = next(line.split()[-1] for line in process.stdout if "http://" in line)

        def ask(path: str, body: Any) -> Any:
            headers = {"Content-Type": "application/json"}
            with urlopen(Request(address + path, json.dumps(body).encode(), headers), timeout=LONGEST) as answer:
                return json.loads(answer.read())

        session = ask("/session", {})["id"]
        wish = {"format": {"type": "json_schema", "schema": SCHEMA}, "parts": [{"type": "text", "text": QUESTION}]}
        model = {"providerID": "piproxy", "modelID": task.model}
        return {"object": ask(f"/session/{session}/message", {"model": model, **wish})["info"].get("structured")}
    finally:
        process.kill()
        process.communicate()


def continue_cli(task: Task) -> Command:
    """Continue's ``cn`` without a terminal."""
    path = HOME / "continue.yaml"
    path.write_text(
        "name: test\nversion: 0.0.1\nschema: v1\nmodels:\n"
        f"  - name: proxied\n    provider: openai\n    model: {task.model}\n    apiBase: {task.base_url}\n"
        f"    apiKey: {task.key}\n    roles: [chat]\n    capabilities: [tool_use, image_input]\n"
    )
    environ = {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_ENABLE_TELEMETRY": "0"}
    return [f"{task.bin}/cn", "-p", "--config", str(path), "--auto", asked(task)], environ


def aider(task: Task) -> Command:
    """Aider, one message."""
    words = ["--model", f"openai/{task.model}", "--openai-api-base", task.base_url, "--openai-api-key", task.key]
    words += ["--no-git", "--yes-always", "--no-check-update", "--analytics-disable", "--no-show-model-warnings"]
    words += ["--no-pretty", "--map-tokens", "0", "--no-detect-urls", "--no-show-release-notes", "--no-gitignore"]
    words += ["--no-stream"] if task.scenario == "text" else ["--stream"]
    if task.scenario == "reasoning":
        words += ["--reasoning-effort", "high", "--no-check-model-accepts-settings"]
    if task.scenario == "image":
        words += ["dot.png"]
    return [f"{task.bin}/aider", *words, "--message", asked(task)], {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def promptfoo(task: Task) -> Command:
    """promptfoo, one prompt for one provider."""
    config: Any = {"apiBaseUrl": task.base_url, "apiKey": task.key, "max_tokens": 100, "temperature": 0.5}
    config["maxRetries"] = task.retries
    if task.scenario == "structured":
        shape = {"name": "recipe", "strict": True, "schema": SCHEMA}
        config["response_format"] = {"type": "json_schema", "json_schema": shape}
    if task.scenario == "called":
        config["tools"] = [TOOL]
    if task.scenario == "fields":
        extra = {"top_p": 0.9, "presence_penalty": 0.1, "frequency_penalty": 0.1, "stop": ["END"], "seed": 7}
        config |= {**extra, "passthrough": {"user": "user-1", "n": 1, "store": False}}
    if task.scenario == "reasoning":
        config["reasoning_effort"] = "high"
    prompt: Any = QUESTION
    if task.scenario == "image":
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        prompt = json.dumps([{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}])
    provider = {"id": f"openai:chat:{task.model}", "config": config}
    suite = {"prompts": [prompt], "providers": [provider], "tests": [{"vars": {"subject": "answers"}}]}
    (PROJECT / "suite.json").write_text(json.dumps(suite))
    environ = {
        "PROMPTFOO_CONFIG_DIR": str(HOME / "promptfoo"),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    }
    if task.scenario == "abort-whole":
        environ["REQUEST_TIMEOUT_MS"] = "1000"
    words = ["--no-cache", "--no-share", "--no-table", "--no-progress-bar", "--no-write", "-o", "out.json"]
    return [f"{task.bin}/promptfoo", "eval", "-c", "suite.json", *words], environ


PROGRAMS: dict[str, Callable[[Task], Command]] = {
    "pi": pi,
    "opencode": opencode,
    "continue": continue_cli,
    "aider": aider,
    "promptfoo": promptfoo,
}


def asked(task: Task) -> str:
    return ASKED.get(task.scenario, QUESTION)


def play(task: Task) -> dict[str, Any]:
    PROJECT.mkdir(exist_ok=True)
    BEGAN.unlink(missing_ok=True)
    (PROJECT / "note.txt").write_text(NOTE)
    (PROJECT / "dot.png").write_bytes(base64.b64decode(PNG))
    command, extra = PROGRAMS[task.mode](task)
    node = os.environ.get("NODE_BIN", "")
    environ = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "CI": "1", **extra}
    if (task.mode, task.scenario) == ("opencode", "structured"):
        return object_of_opencode(task, environ)
    process = subprocess.Popen(command, env=environ, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1)
    if task.scenario == "abort":
        until = time.monotonic() + LONGEST
        while not BEGAN.exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT if task.mode in ("aider", "pi") else signal.SIGTERM)
        time.sleep(1)
        process.kill()
        process.communicate()
        return {"left": True}
    try:
        out, err = (data.decode(errors="replace") for data in process.communicate(timeout=LONGEST))
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = (data.decode(errors="replace") for data in process.communicate())
        return {"error": f"not done: {out[-1500:]} {err[-1500:]}", "failed": True, "hung": True}
    if task.mode == "promptfoo":
        return _of_promptfoo(json.loads((PROJECT / "out.json").read_text()))
    if task.scenario in ("error", "cut"):
        return {"error": out + err, "failed": True}
    return {"text": out, "inside": True, "error": f"{process.returncode} {err[-1500:]}"}


def _of_promptfoo(found: Any) -> dict[str, Any]:
    result = found["results"]["results"][0]
    if result.get("error"):
        return {"error": result["error"], "failed": True, "left": "timed out" in result["error"]}
    output = result["response"]["output"]
    seen: dict[str, Any] = {"text": output if isinstance(output, str) else "", "inside": True}
    if isinstance(output, dict):
        seen["object"] = output
    if isinstance(output, list):
        seen["calls"] = [json.loads(call["function"]["arguments"]) for call in output]
    return seen


serve(play)
