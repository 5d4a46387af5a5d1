"""openai-node and the Vercel AI SDK, with their own parsers, helpers and retry loops, against every room.

They are installed from npm, at the versions below; the provider is scripted and speaks every API. openai-python is run
in the same way by ``tests/sdk``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from fakes.answers import WIRES, Said, api_of, models_json
from fakes.provider import Conversation, Provider
from fakes.sdk import refusing, saying
from fakes.secrets import overhearing

from piproxy.openai.fields import FIELDS
from piproxy.server import lifecycle

PACKAGES = ("openai@7.57.0", "ai@7.0.173", "@ai-sdk/openai@4.0.118", "@ai-sdk/openai-compatible@3.0.92", "zod@4.6.7")
HELLO = "It rains in Köln ☔.\n"
WEATHER, TIME = ("get_weather", '{"city":"Köln"}'), ("get_time", '{"city":"Paris"}')
OBJECT = {"city": "Köln", "rain": True}
SCENARIOS = [
    "text",
    "stream",
    "one",
    "parallel",
    "runner",
    "structured",
    "thinking",
    "overloaded",
    "refused",
    "locked",
    "cut",
]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages and the script; kept between runs when the environment names it."""
    named = os.environ.get("PIPROXY_SDKS_DIR")
    path = Path(named) if named else tmp_path_factory.mktemp("sdks")
    if not (path / "node_modules" / "ai").exists():
        path.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        subprocess.run(["npm", "install", "--prefix", str(path), *quiet, *PACKAGES], check=True)
    (path / "node.mjs").write_bytes((Path(__file__).parent / "node.mjs").read_bytes())
    return path


class Script:
    """What the provider says to each scenario, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    async def __call__(self, talk: Conversation) -> None:
        body = talk.asked.body.decode()
        scenario = body.partition("scenario:")[2].partition(";")[0]
        api = api_of(talk.asked.target)
        self.asked[api, scenario] += 1
        number = self.asked[api, scenario]
        await self._answer(talk, scenario, api, number, json.loads(body))

    async def _answer(self, talk: Conversation, scenario: str, api: str, number: int, body: Any) -> None:
        pieces = [HELLO[:9], HELLO[9:]]
        match scenario:
            case "one":
                await saying(Said(calls=[WEATHER]))(talk)
            case "parallel":
                await saying(Said(text=["I ", "look."], calls=[WEATHER, TIME]))(talk)
            case "runner" if "rain in" not in talk.asked.body.decode():
                await saying(Said(calls=[WEATHER, TIME]))(talk)
            case "structured":
                text = json.dumps(OBJECT)
                forced = _only_tool(body)
                await saying(Said(calls=[(forced, text)]) if forced else Said(text=[text]))(talk)
            case "thinking":
                await saying(Said(thinking=["Rain", "y?"], text=pieces))(talk)
            case "overloaded" if number % 2:
                await refusing(503, retry_after="1")(talk)
            case "refused":
                await refusing(400)(talk)
            case "locked":
                await refusing(401)(talk)
            case "cut":
                wire = WIRES[api]
                data = wire.write(Said(text=[HELLO] * 9))
                await talk.head(content_type=wire.content_type)
                await talk.data(data[: len(data) // 2])
                await talk.break_off()
            case _:
                await saying(Said(text=pieces))(talk)


def _only_tool(body: Any) -> str | None:
    """The tool that stands for the form of the answer, where an API has nothing better."""
    config = body.get("toolConfig")
    specs = [tool["toolSpec"] for tool in config["tools"] if "toolSpec" in tool] if config and "tools" in config else []
    found = [*specs, *(tool for tool in body.get("tools") or () if "input_schema" in tool)]
    return found[0]["name"] if found else None


@asynccontextmanager
async def serving(directory: Path, script: Script) -> AsyncIterator[str]:
    """The address of a served piproxy whose providers are played by ``script``."""
    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, script)
        listeners = await nursery.start(partial(trio.serve_tcp, provider.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        (directory / "models.json").write_text(json.dumps(models_json(f"http://127.0.0.1:{port}")))
        environ = {"PI_CODING_AGENT_DIR": str(directory)}
        with overhearing():
            where = await nursery.start(lifecycle.main, {"port": 0, "catalog": "snapshot"}, environ)
            yield f"{where[0]}/v1"
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="session")
def plays(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Any]:
    """(SDK, scenario, api) -> what came of it; ``asked`` as the SDK counts the requests that the provider saw."""
    script = Script()
    lines: list[str] = []

    async def run() -> None:
        async with serving(tmp_path_factory.mktemp("pi"), script) as address:
            command = ["node", "node.mjs", address, *(f"p-{api}/m" for api in WIRES)]
            with trio.fail_after(240):
                done = await trio.run_process(command, cwd=installed, capture_stdout=True)
            lines.extend(done.stdout.decode().splitlines())

    trio.run(run)
    found: dict[tuple[str, str, str], Any] = {}
    for line in map(json.loads, lines):
        found[line["sdk"], line["scenario"], line["model"].removeprefix("p-").removesuffix("/m")] = line
    found |= {("asked", scenario, api): number for (api, scenario), number in script.asked.items()}
    return found


EXPECTED: dict[str, Any] = {
    "text": HELLO,
    "stream": [HELLO, 22],
    "one": ["tool_calls", ["get_weather", {"city": "Köln"}]],
    "parallel": ["tool_calls", ["get_weather", {"city": "Köln"}], ["get_time", {"city": "Paris"}]],
    "runner": HELLO,
    "structured": OBJECT,
    "thinking": ["Rainy?", HELLO],
    "overloaded": HELLO,
}
ERRORS = {"refused": 400, "locked": 502, "cut": None}
REQUESTS = {"text": 2, "overloaded": 4, "refused": 2, "locked": 4, "cut": 2, "runner": 4}
"""At the provider, of both SDKs together: only overload is asked again. The AI SDK knows no ``x-should-retry`` and
takes every 502 for a passing one, so it asks three times where openai-node asks once."""


@pytest.mark.parametrize("api", list(WIRES))
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("sdk", ["openai-node", "ai-sdk"])
def test_every_room_through_the_sdk(sdk: str, scenario: str, api: str, plays: dict[tuple[str, str, str], Any]) -> None:
    """The SDK's own parsers take every chunk; an error is one, with its status."""
    play = plays[sdk, scenario, api]
    if scenario in ERRORS:
        assert "result" not in play, play
        retried = play["error"]["name"] == "AI_RetryError"  # the AI SDK's wrapper, which has no status
        assert retried or ERRORS[scenario] in (None, play["error"]["status"]), play
    else:
        assert play.get("result") == EXPECTED[scenario], play


@pytest.mark.parametrize("api", list(WIRES))
@pytest.mark.parametrize("scenario", list(REQUESTS))
def test_only_what_helps_is_tried_again(scenario: str, api: str, plays: dict[tuple[str, str, str], Any]) -> None:
    """The SDKs' real retry loops: once more after an overload, never after a refusal or in mid-answer."""
    assert plays["asked", scenario, api] == REQUESTS[scenario]


def test_every_field_of_openai_nodes_types_is_in_the_table(installed: Path) -> None:
    """The fields that openai-node's newest types have are the table's standard ones, no more and no fewer."""
    types = installed / "node_modules" / "openai" / "resources" / "chat" / "completions" / "completions.d.ts"
    inside = types.read_text().partition("export interface ChatCompletionCreateParamsBase {\n")[2].partition("\n}\n")[0]
    found = set(re.findall(r"^    ([a-z_]+)\??:", inside, re.MULTILINE))
    assert found == {field.name for field in FIELDS.values() if field.standard}
