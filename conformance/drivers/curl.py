"""curl: HTTP/1.1 and HTTP/2 without TLS, and the things that only a careful client does."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from common import IMAGE, RESULT, SCHEMA, TOOL, USER, Task, serve


def ask(task: Task, path: str, body: Any = None, *words: str) -> tuple[int, str, str]:
    """Exit code, what came, and the HTTP status."""
    command = ["curl", "-sS", "-N", "-w", "\n%{http_code}", *words, task.base_url + path]
    if task.mode == "http2":
        command.insert(1, "--http2-prior-knowledge")
    else:
        command += ["-H", f"Authorization: Bearer {task.key}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    data = b"" if body is None else json.dumps({"model": task.model, **body}, ensure_ascii=False).encode()
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    text, _, status = done.stdout.decode().rpartition("\n")
    return done.returncode, text, status


def deltas(text: str) -> list[Any]:
    frames = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    values = [json.loads(frame) for frame in frames if frame != "[DONE]"]
    return [choice["delta"] for value in values for choice in value.get("choices", ())]


def play(task: Task) -> dict[str, Any]:
    path = "/chat/completions"
    base: Any = {"messages": [USER]}
    match task.scenario:
        case "text":
            return {"text": json.loads(ask(task, path, base)[1])["choices"][0]["message"]["content"]}
        case "stream" | "cut":
            _, text, _ = ask(task, path, {**base, "stream": True})
            ended = '"error"' in text and text.rstrip().endswith("[DONE]")
            return {"text": "".join(d.get("content") or "" for d in deltas(text)), "failed": ended}
        case "reasoning":
            _, text, _ = ask(task, path, {**base, "stream": True, "reasoning_effort": "high"})
            found = deltas(text)
            return {
                "text": "".join(d.get("content") or "" for d in found),
                "reasoning": "".join(d.get("reasoning_content") or "" for d in found),
            }
        case "tools":
            first = json.loads(ask(task, path, {**base, "tools": [TOOL]})[1])["choices"][0]["message"]
            turns = [{"role": "tool", "tool_call_id": c["id"], "content": RESULT} for c in first["tool_calls"]]
            second = ask(task, path, {"messages": [USER, first, *turns], "tools": [TOOL]})
            return {
                "calls": [json.loads(c["function"]["arguments"]) for c in first["tool_calls"]],
                "text": json.loads(second[1])["choices"][0]["message"]["content"],
            }
        case "image":
            content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
            answer = ask(task, path, {"messages": [{"role": "user", "content": content}]})
            return {"text": json.loads(answer[1])["choices"][0]["message"]["content"]}
        case "structured":
            shape = {"type": "json_schema", "json_schema": {"name": "recipe", "schema": SCHEMA}}
            answer = ask(task, path, {**base, "response_format": shape})
            return {"object": json.loads(json.loads(answer[1])["choices"][0]["message"]["content"])}
        case "error":
            _, text, status = ask(task, path, base)
            return {"error": text, "status": status}
        case "nobody":
            _, _, status = ask(task, path, {**base, "model": "nobody/nothing"})
            return {"failed": status == "404"}
        case "unknown-field":
            _, text, status = ask(task, path, {**base, "no_such_field": 1})
            return {"failed": status == "422" and "no_such_field" in text}
        case "bad-json":
            words = ("-X", "POST", "-H", "Content-Type: application/json", "-d", "{nonsense")
            return {"failed": ask(task, path, None, *words)[2] == "400"}
        case "no-such-path":
            return {"failed": ask(task, "/no/such/path")[2] == "404"}
        case "foreign-host":
            return {"failed": ask(task, "/models", None, "-H", "Host: evil.example")[2] == "403"}
        case "foreign-origin":
            return {"failed": ask(task, "/models", None, "-H", "Origin: https://evil.example")[2] == "403"}
        case "preflight":
            origin = "Origin: http://localhost:3000"
            words = ("-X", "OPTIONS", "-H", origin, "-H", "Access-Control-Request-Method: POST")
            return {"allowed": ask(task, path, None, *words)[2] == "204"}
        case "retry":
            _, text, _ = ask(task, path, base, "--retry", "2")  # the refused answer comes before it
            return {"text": json.loads(text[text.index('{"id"') :])["choices"][0]["message"]["content"]}
        case "abort":
            code, _, _ = ask(task, path, {**base, "stream": True}, "--max-time", "1")
            return {"left": code == 28}
        case "abort-whole":
            code, _, _ = ask(task, path, base, "--max-time", "1")
            return {"left": code == 28}
        case "models":
            listed = json.loads(ask(task, "/models")[1])
            one = json.loads(ask(task, f"/models/{task.model}")[1])
            return {"models": one["id"] == task.model and one in listed["data"]}
    return {}


serve(play)
