"""piproxy makes of pi's files what the real pi makes of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from conformance.real_pi.homes import ENVIRON, Homes
from conformance.real_pi.packages import VERSIONS
from piproxy.errors import CredentialError
from piproxy.jsontext import Json
from piproxy.model import Cost, Model, Rates
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.registry import Registry
from piproxy.pi.view import View
from piproxy.wire.rooms import ROOMS

HOMES = 8
SEED = 7
LEFT_OUT = {"0.87.1": ("radius", "openrouter")}
"""Since 1.2 they replace the catalog by other rules, which are ours."""
OWN_HEADERS = ("kimi-coding", "cloudflare-ai-gateway", "anthropic")
"""Providers whose keys become headers of their own, which is not the registry's work."""


@pytest.mark.parametrize("version", VERSIONS)
def test_same_models_same_keys_same_headers(
    version: str, node: str, package_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """Made-up directories: every field of every model, what is available, each key and header, each load error."""
    package = package_of(version)
    environ = {**ENVIRON, "PI_PACKAGE_DIR": str(package), "HOME": str(tmp_path), "PI_OFFLINE": "1"}
    empty = _registry(tmp_path / "empty", environ)
    homes = Homes(empty.view().catalog, SEED, left_out=LEFT_OUT.get(version, ()))
    places = [homes.write(tmp_path / f"home{number}") for number in range(HOMES)]
    command = [
        node,
        str(Path(__file__).with_name("registry.mjs")),
        str(package / "dist/bundle/index.js"),
    ]
    done = subprocess.run(
        [*command, *map(str, places)],
        env={**environ, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    models = keys = refusals = 0
    for place, line in zip(places, done.stdout.splitlines(), strict=True):
        pi, view = json.loads(line), _registry(place, environ).view()
        assert [_described(model) for model in view.models] == [_as_pi_says(entry) for entry in pi["models"]]
        assert [model.canonical_id for model in view.available()] == pi["available"]
        assert "\n\n".join(problem.reason for problem in view.problems) == pi["error"]
        models += len(pi["models"])
        for id, auth in pi["auth"].items():  # noqa: A001
            if f'Provider "{view.by_id[id].provider}":' in pi["error"]:
                continue  # pi still sends the model headers of an entry that it refused as a whole
            refused = _compare(view, view.by_id[id], auth)
            keys, refusals = keys + (not refused), refusals + refused
    assert empty.view().catalog.pi_version == version
    counts = f"{models} models, {keys} keys with headers, {refusals} refusals"
    print(f"\npi {version}: {HOMES} directories, {counts}: all equal")


def _registry(place: Path, environ: Mapping[str, str]) -> Registry:
    return Registry(AgentDirectory(place), environ, apis=ROOMS, catalog_choice="installed")


def _compare(view: View, model: Model, auth: Json) -> bool:
    """Key and headers, or the refusal; gives whether it was one."""
    login = view.login(model.provider)
    try:
        headers = view.request_headers(model, login=login)
    except CredentialError:
        assert auth is not None, model.canonical_id
        assert "error" in auth, model.canonical_id
        return True
    if auth is None or "error" in auth:
        assert login.kind == "none", model.canonical_id
        return True
    if model.provider not in OWN_HEADERS:
        assert login.key == auth["key"], model.canonical_id
        assert _lowered(headers) == _lowered(auth["headers"]), model.canonical_id
    return False


def _lowered(headers: Mapping[str, Json]) -> dict[str, Json]:
    return {name.lower(): value for name, value in headers.items()}


def _described(model: Model) -> dict[str, Json]:
    return {
        "provider": model.provider,
        "id": model.id,
        "api": model.api,
        "baseUrl": model.base_url,
        "name": model.name,
        "reasoning": model.reasoning,
        "input": list(model.input),
        "cost": {**_rates(model.cost), "tiers": _tiers(model.cost)},
        "contextWindow": model.context_window,
        "maxTokens": model.max_tokens,
        "thinkingLevelMap": dict(model.thinking_level_map),
        "compat": dict(model.compat),
        "headers": dict(model.headers),
        "samplingParams": dict(model.sampling_params),
        "inputLimits": dict(model.input_limits),
        "promptCache": dict(model.prompt_cache),
    }


def _as_pi_says(entry: dict[str, Json]) -> dict[str, Json]:
    """The same members; what pi leaves out is empty."""
    empty = ("thinkingLevelMap", "compat", "headers", "samplingParams", "inputLimits", "promptCache")
    members = ("provider", "id", "api", "baseUrl", "name", "reasoning", "input", "contextWindow", "maxTokens")
    cost = {"tiers": [], **entry["cost"]}
    return {key: entry[key] for key in members} | {key: entry.get(key) or {} for key in empty} | {"cost": cost}


def _rates(rates: Rates) -> dict[str, Json]:
    return {
        "input": rates.input,
        "output": rates.output,
        "cacheRead": rates.cache_read,
        "cacheWrite": rates.cache_write,
    }


def _tiers(cost: Cost) -> list[dict[str, Json]]:
    return [{"inputTokensAbove": above, **_rates(rates)} for above, rates in cost.tiers]
