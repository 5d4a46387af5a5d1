"""The shipped catalog is pi's own, and an installed pi's newer one is preferred."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from piproxy.model import Rates
from piproxy.pi.catalog import Catalog, newer, read_installed, snapshot
from piproxy.pi.environment import PROVIDERS
from piproxy.wire.rooms import ROOMS

PER_API = {
    "openai-completions": 728,
    "anthropic-messages": 416,
    "bedrock-converse-stream": 202,
    "openai-responses": 131,
    "azure-openai-responses": 44,
    "pi-messages": 35,
    "mistral-conversations": 34,
    "google-generative-ai": 32,
    "google-vertex": 13,
    "openai-codex-responses": 8,
}
PER_PROVIDER = {
    "amazon-bedrock": 202,
    "ant-ling": 3,
    "anthropic": 18,
    "azure": 45,
    "baseten": 15,
    "cerebras": 2,
    "cloudflare-ai-gateway": 59,
    "cloudflare-workers-ai": 19,
    "deepseek": 2,
    "fireworks": 27,
    "github-copilot": 27,
    "google": 23,
    "google-vertex": 13,
    "groq": 7,
    "huggingface": 78,
    "kimi-coding": 6,
    "meta": 7,
    "minimax": 4,
    "minimax-cn": 4,
    "mistral": 34,
    "moonshotai": 6,
    "moonshotai-cn": 6,
    "nvidia": 20,
    "openai": 44,
    "openai-codex": 8,
    "opencode": 85,
    "opencode-go": 32,
    "openrouter": 403,
    "qwen-token-plan": 21,
    "qwen-token-plan-cn": 21,
    "qwen-token-plan-individual": 10,
    "qwen-token-plan-individual-cn": 10,
    "radius": 35,
    "together": 16,
    "vercel-ai-gateway": 307,
    "xai": 4,
    "xiaomi": 3,
    "xiaomi-token-plan-ams": 2,
    "xiaomi-token-plan-cn": 2,
    "xiaomi-token-plan-sgp": 2,
    "zai": 7,
    "zai-coding-cn": 4,
}
ENTRY = {
    "id": "m/1",
    "name": "M",
    "api": "openai-completions",
    "provider": "corp",
    "baseUrl": "https://x",
    "type": "chat",
}

GENERATED_JS = """// generated
export const MODELS = {
    "corp": {
        "m:1": {
            id: "m:1",
            name: "has, ] and a: b",
            api: "openai-completions",
            provider: "corp",
            baseUrl: "https://x",
            reasoning: true,
            input: ["text", "image",],
            thinkingLevelMap: {xhigh: null,},
            cost: {
                input: 1.5,
                output: 2,
            },
        },
    },
};
//# map
"""


def install(package: Path, generated_at: str, corp: object) -> Path:
    """A pi-ai package with one provider."""
    data = package / "dist" / "providers" / "data"
    data.mkdir(parents=True)
    content = json.dumps(corp).encode()
    (data / "corp.json").write_bytes(content)
    hashes = {"corp.json": hashlib.sha256(content).hexdigest()}
    manifest = {"schemaVersion": 6, "generatedAt": generated_at, "files": hashes}
    (data / ".manifest.json").write_text(json.dumps(manifest))
    return package


def test_snapshot_counts_equal_pis_own() -> None:
    """Per api and per provider, the snapshot has as many chat models as pi 1.5.2."""
    models = [model for of_provider in snapshot().models.values() for model in of_provider]
    assert Counter(model.api for model in models) == PER_API
    assert Counter(model.provider for model in models) == PER_PROVIDER
    assert len(models) == 1643


def test_snapshot_keeps_pis_order_and_says_where_it_is_from() -> None:
    """Providers come in pi's registration order; version and time are pi's."""
    assert tuple(snapshot().models) == tuple(name for name in PROVIDERS if name != "typesafe")
    assert snapshot().pi_version == "1.5.2"
    assert snapshot().generated_at == "2026-11-10T12:05:37.628Z"
    assert snapshot().path is None
    assert sum(len(ids) for kinds in snapshot().others.values() for ids in kinds.values()) == 66 + 64


def test_every_api_of_the_snapshot_has_a_room() -> None:
    """piproxy speaks every api of the catalog."""
    assert set(PER_API) <= set(ROOMS)


def test_snapshot_model_is_whole() -> None:
    """A model's price tiers, levels and limits come through."""
    model = next(model for model in snapshot().models["openai"] if model.id == "gpt-5.4")
    assert model.base_url == "https://api.openai.com/v1"
    assert (model.context_window, model.max_tokens, model.reasoning) == (272_000, 128_000, True)
    assert model.cost.tiers == ((272_000, Rates(5, 22.5, 0.5, 0)),)
    assert model.thinking_level_map["minimal"] is None
    assert model.compat["supportsStrictMode"] is True
    assert model.input_limits["images"]["resize"]["jpegQuality"] == 80


def test_snapshot_counts_of_members() -> None:
    """As many models as in pi's own data have headers, tiers, images."""
    models = [model for of_provider in snapshot().models.values() for model in of_provider]
    assert sum(bool(model.headers) for model in models) == 47
    assert sum(bool(model.cost.tiers) for model in models) == 277
    assert sum(model.takes_images for model in models) == 1216


def test_snapshot_is_reproducible_and_loads_fast() -> None:
    """The packed file carries no time stamp; how long it takes to load is printed."""
    packed = files("piproxy.pi").joinpath("data", "catalog.json.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"
    start = time.perf_counter()
    json.loads(gzip.decompress(packed))
    parsed = time.perf_counter()
    snapshot.__wrapped__()
    print(f"snapshot: JSON {1000 * (parsed - start):.1f} ms, all {1000 * (time.perf_counter() - parsed):.1f} ms")  # noqa: T201


@pytest.mark.parametrize("key", ["chat:m/1", "m/1"])
def test_installed_catalog_of_both_key_styles(key: str, tmp_path: Path) -> None:
    """Keys with a type (1.x) and without (0.8x) are read; other kinds are only named."""
    image = {"id": "draw", "type": "image"}
    corp = {"openai-completions": {key: ENTRY}, "images": {"image:draw": image}}
    catalog = read_installed(install(tmp_path, "2026-12-01T00:00:00.000Z", corp), "1.6.0")
    assert [model.canonical_id for model in catalog.models["corp"]] == ["corp/m/1"]
    assert catalog.others == {"corp": {"image": ("draw",)}}
    assert catalog.generated_ms == 1_796_083_200_000


def test_installed_catalog_of_0_73(tmp_path: Path) -> None:
    """The JavaScript literal of pi 0.73 is read, and never counts as newer."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "models.generated.js").write_text(GENERATED_JS)
    catalog = read_installed(tmp_path, "0.73.1")
    (model,) = catalog.models["corp"]
    assert (model.id, model.name, model.input) == ("m:1", "has, ] and a: b", ("text", "image"))
    assert (model.cost.input, model.thinking_level_map) == (1.5, {"xhigh": None})
    assert newer(snapshot(), catalog) is snapshot()


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "[]", "{}", '{"generatedAt": "never", "files": {}}', '{"generatedAt": "2026-12-01T00:00:00Z"}'],
)
def test_manifest_that_makes_no_sense_is_refused(manifest: str, tmp_path: Path) -> None:
    """Without a date the data cannot be compared, so it is not used."""
    package = install(tmp_path, "2026-12-01T00:00:00.000Z", {"a": {"m/1": ENTRY}})
    (package / "dist" / "providers" / "data" / ".manifest.json").write_text(manifest)
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        read_installed(package, "1")


def test_file_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    """Half an update of pi is not used."""
    package = install(tmp_path, "2026-12-01T00:00:00.000Z", {"a": {"m/1": ENTRY}})
    (package / "dist" / "providers" / "data" / "corp.json").write_text("{}")
    with pytest.raises(ValueError, match=r"corp\.json is not what the manifest says"):
        read_installed(package, "1")


def test_the_later_catalog_wins() -> None:
    """Time decides, not the version; the first stays when both are as old."""
    old, new = (
        Catalog(pi_version=v, generated_at=at, models={}) for v, at in (("9", "2026-01-01"), ("1", "2026-01-02"))
    )
    assert newer(old, new) is new
    assert newer(new, old) is new
    assert newer(old, Catalog(pi_version="2", generated_at="2026-01-01", models={})) is old
