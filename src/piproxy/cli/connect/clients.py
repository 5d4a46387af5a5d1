"""The clients that ``piproxy connect`` knows: what to say to each, and where it keeps that.

Sources: each client's own documentation of OpenAI-compatible providers; for Zed, also pi-on-disk.md, 10.3, and the
settings that its source declares (``OpenAiCompatibleAvailableModel``).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from piproxy.cli.connect.flat import set_env, set_list, set_yaml
from piproxy.cli.connect.jsonc import NotJsonc, set_path
from piproxy.cli.connect.target import Target
from piproxy.errors import ConfigError
from piproxy.jsontext import Json
from piproxy.model import Model

Environ = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Client:
    """One program."""

    about: str
    shown: Callable[[Target], str]
    """What to copy or to run."""
    path: Callable[[Environ, Path], Path]
    """Its file, by environment and home."""
    changed: Callable[[str, Target], str]
    """The file's text with the proxy in it."""
    note: Callable[[Target], str] = lambda _: ""
    """What else to know; told beside the settings."""


def _dotenv(_environ: Environ, _home: Path) -> Path:
    return Path.cwd() / ".env"


def _variables(target: Target) -> dict[str, str]:
    return {"OPENAI_BASE_URL": target.url, "OPENAI_API_KEY": target.token}


def _curl(target: Target) -> str:
    body = json.dumps({"model": target.model, "messages": [{"role": "user", "content": "Hi!"}]})
    ways = (("--unix-socket", target.socket), ("--cacert", target.authority))
    options = "".join(f"  {option} {shlex.quote(path)} \\\n" for option, path in ways if path)
    return (
        f"curl {target.url}/chat/completions \\\n{options}"
        f"  -H {shlex.quote(f'Authorization: Bearer {target.token}')} \\\n"
        f'  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}\n"
    )


def _openai_python(target: Target) -> str:
    return (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={json.dumps(target.url)}, api_key={json.dumps(target.token)})\n"
        "answer = client.chat.completions.create(\n"
        f"    model={json.dumps(target.model)},\n"
        '    messages=[{"role": "user", "content": "Hi!"}],\n'
        ")\n"
        "print(answer.choices[0].message.content)\n"
    )


def _openai_node(target: Target) -> str:
    return (
        'import OpenAI from "openai";\n\n'
        f"const client = new OpenAI({{ baseURL: {json.dumps(target.url)}, apiKey: {json.dumps(target.token)} }});\n"
        "const answer = await client.chat.completions.create({\n"
        f"  model: {json.dumps(target.model)},\n"
        '  messages: [{ role: "user", content: "Hi!" }],\n'
        "});\n"
        "console.log(answer.choices[0].message.content);\n"
    )


def _langchain(target: Target) -> str:
    return (
        "from langchain_openai import ChatOpenAI\n\n"
        "model = ChatOpenAI(\n"
        f"    model={json.dumps(target.model)},\n"
        f"    base_url={json.dumps(target.url)},\n"
        f"    api_key={json.dumps(target.token)},\n"
        ")\n"
        'print(model.invoke("Hi!").content)\n'
    )


def _aider_values(target: Target) -> dict[str, str]:
    return {
        "model": f"openai/{target.model}",
        "openai-api-base": target.url,
        "openai-api-key": target.token,
    }


def _continue_items(target: Target) -> str:
    items = []
    for id, model in target.models:  # noqa: A001
        images = ", image_input" if "image" in model.input else ""
        items.append(
            f"- name: {json.dumps(f'{model.name or id} (piproxy)', ensure_ascii=False)}\n"
            "  provider: openai\n"
            f"  model: {json.dumps(id)}\n"
            f"  apiBase: {json.dumps(target.url)}\n"
            f"  apiKey: {json.dumps(target.token)}\n"
            "  roles: [chat, edit, apply]\n"
            f"  capabilities: [tool_use{images}]\n"
            "  defaultCompletionOptions:\n"
            f"    contextLength: {model.context_window}\n"
            f"    maxTokens: {model.max_tokens}\n"
        )
    return "".join(items)


def _continue(text: str, target: Target) -> str:
    head = "" if text.strip() else 'name: piproxy\nversion: "1.0.0"\nschema: v1\n'
    return set_list(head + text, "models", _continue_items(target))


def _webui_values(target: Target) -> dict[str, str]:
    return {"OPENAI_API_BASE_URL": target.url, "OPENAI_API_KEY": target.token}


def _zed_path(environ: Environ, home: Path) -> Path:
    """The first that exists; else where Zed would make it."""
    places = [home / ".config" / "zed" / "settings.json"]
    if environ.get("CUSTOM_DATA_DIR"):
        places.insert(0, Path(environ["CUSTOM_DATA_DIR"]) / "settings.json")
    if environ.get("XDG_CONFIG_HOME"):
        places.append(Path(environ["XDG_CONFIG_HOME"]) / "zed" / "settings.json")
    if environ.get("APPDATA"):  # Windows
        places.append(Path(environ["APPDATA"]) / "Zed" / "settings.json")
    return next((place for place in places if place.exists()), places[-1])


def zed_entry(target: Target) -> dict[str, Json]:
    """What Zed has to know about the proxy."""
    return {"api_url": target.url, "available_models": [_zed_model(id, model) for id, model in target.models]}  # noqa: A001


def _zed_model(id: str, model: Model) -> dict[str, Json]:
    return {
        "name": id,
        "display_name": model.name or id,
        "max_tokens": model.context_window,
        "max_output_tokens": model.max_tokens,
        "capabilities": {
            "tools": True,
            "images": "image" in model.input,
            "parallel_tool_calls": True,
            "prompt_cache_key": False,
            "chat_completions": True,
        },
    }


_WORD: Final = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
"""Between two words that nothing else separates."""
ZED_PLACE: Final = ("language_models", "openai_compatible")


def _zed(text: str, target: Target) -> str:
    return _jsonc(text, (*ZED_PLACE, target.provider_name), zed_entry(target))


def _zed_note(target: Target) -> str:
    name = zed_variable(target.provider_name)
    key = target.token if target.wants_token else "any word"
    return (
        f"Zed wants a key: type {key} at {target.provider_name} in its settings (AI, LLM Providers), or start it with "
        f"{name} set."
    )


def zed_variable(provider: str) -> str:
    """Where Zed looks for the key of a provider of this name: its words in capitals, as Zed tells words apart."""
    name = re.sub(r"[\s_-]+", "_", f"{provider}_API_KEY")
    return _WORD.sub("_", name).upper()


def _opencode_path(environ: Environ, home: Path) -> Path:
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    places = (folder / "opencode.jsonc", folder / "opencode.json")
    return next((place for place in places if place.exists()), places[-1])


def _opencode_entry(target: Target) -> dict[str, Json]:
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": target.provider_name,
        "options": {"baseURL": target.url, "apiKey": target.token},
        "models": {id: _opencode_model(id, model) for id, model in target.models},  # noqa: A001
    }


def _opencode_model(id: str, model: Model) -> dict[str, Json]:
    return {
        "name": model.name or id,
        "attachment": "image" in model.input,
        "reasoning": model.reasoning,
        "tool_call": True,
        "limit": {"context": model.context_window, "output": model.max_tokens},
    }


def _opencode(text: str, target: Target) -> str:
    head = text if text.strip() else '{\n  "$schema": "https://opencode.ai/config.json"\n}\n'
    return _jsonc(head, ("provider", "piproxy"), _opencode_entry(target))


def _jsonc(text: str, path: tuple[str, ...], value: Json) -> str:
    try:
        return set_path(text, path, value)
    except NotJsonc as error:
        raise ConfigError(str(error)) from error


CLIENTS: Final[Mapping[str, Client]] = {
    "aider": Client(
        about="Aider: .aider.conf.yml in the home directory",
        shown=lambda target: set_yaml("", _aider_values(target)),
        path=lambda _, home: home / ".aider.conf.yml",
        changed=lambda text, target: set_yaml(text, _aider_values(target)),
    ),
    "continue": Client(
        about="Continue: .continue/config.yaml in the home directory",
        shown=lambda target: _continue("", target),
        path=lambda _, home: home / ".continue" / "config.yaml",
        changed=_continue,
    ),
    "open-webui": Client(
        about="Open WebUI: variables for its first start; .env here",
        shown=lambda target: set_env("", _webui_values(target)),
        path=_dotenv,
        changed=lambda text, target: set_env(text, _webui_values(target)),
        note=lambda _: (
            "Open WebUI reads these at its first start only; later: Admin Settings, Connections. From a container, "
            "the host is host.docker.internal: let piproxy listen on an address that it can reach, with a token."
        ),
    ),
    "zed": Client(
        about="Zed: its settings.json; --sync keeps the list of models in step",
        shown=lambda target: _zed("{}", target),
        path=_zed_path,
        changed=_zed,
        note=_zed_note,
    ),
    "opencode": Client(
        about="opencode: opencode.json in its configuration directory",
        shown=lambda target: _opencode("", target),
        path=_opencode_path,
        changed=_opencode,
        note=lambda target: f"Choose piproxy/{target.model} with /models, or in the setting `model`.",
    ),
    "langchain": Client(
        about="LangChain for Python: a program; .env here",
        shown=_langchain,
        path=_dotenv,
        changed=lambda text, target: set_env(text, _variables(target)),
    ),
    "openai-python": Client(
        about="the OpenAI SDK for Python: a program; .env here",
        shown=_openai_python,
        path=_dotenv,
        changed=lambda text, target: set_env(text, _variables(target)),
    ),
    "openai-node": Client(
        about="the OpenAI SDK for Node: a program; .env here",
        shown=_openai_node,
        path=_dotenv,
        changed=lambda text, target: set_env(text, _variables(target)),
    ),
    "curl": Client(
        about="curl: a command; .env here",
        shown=_curl,
        path=_dotenv,
        changed=lambda text, target: set_env(text, _variables(target)),
    ),
}
