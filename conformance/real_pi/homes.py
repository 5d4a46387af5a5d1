"""Made-up agent directories: random, but the same for the same seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from random import Random

from piproxy.jsontext import Json
from piproxy.pi.catalog import Catalog

ENVIRON = {
    "V1": "v1",
    "V2": "v2",
    "OPENAI_API_KEY": "ok",
    "GROQ_API_KEY": "gk",
    "NVIDIA_API_KEY": "nv",
    "CLOUDFLARE_ACCOUNT_ID": "account",
    "CLOUDFLARE_GATEWAY_ID": "gateway",
}
VALUES = ("literal", "$V1", "${V2}x", "$UNSET", "a$$b", "!printf cmd", "!exit 1", "V1")
OWN = ("corp1", "corp2")
CODEX = "openai-codex"
"""In every directory: whether it takes keys at all depends on models.json."""
APIS = ("openai-completions", "anthropic-messages", "openai-responses")


class Homes:
    """Writes directories with models.json, auth.json and models-store.json."""

    def __init__(self, catalog: Catalog, seed: int, *, left_out: Collection[str] = ()) -> None:
        self._catalog = catalog
        self._random = Random(seed)
        self._providers = [provider for provider in catalog.models if provider not in left_out]

    def write(self, into: Path) -> Path:
        named = [*self._random.sample(self._providers, 4), CODEX, *OWN]
        stored = [*self._random.sample(named, 3), *self._random.sample(self._providers, 3)]
        fetched = [*self._random.sample(self._providers, 4), *named[:2]]
        into.mkdir(parents=True)
        for name, content in (
            ("models.json", {"providers": {provider: self._provider(provider) for provider in named}}),
            ("auth.json", {provider: self._credential() for provider in stored}),
            ("models-store.json", {provider: self._fetched(provider) for provider in fetched}),
        ):
            (into / name).write_text(json.dumps(content), encoding="utf-8")
        return into

    def _maybe(self, chance: float, **members: Callable[[], Json]) -> dict[str, Json]:
        return {key: make() for key, make in members.items() if self._random.random() < chance}

    def _one(self, choices: Sequence[Json]) -> Json:
        return self._random.choice(choices)

    def _rates(self) -> dict[str, Json]:
        return {key: self._random.randint(0, 9) for key in ("input", "output", "cacheRead", "cacheWrite")}

    def _compat(self) -> dict[str, Json]:
        return self._maybe(
            0.5,
            supportsStore=lambda: False,
            maxTokensField=lambda: "max_tokens",
            openRouterRouting=lambda: {self._one("ab"): self._random.randint(0, 9)},
            chatTemplateArgs=lambda: {self._one("cd"): 1},
        )

    def _headers(self) -> dict[str, Json]:
        names = ("X-A", "x-a", "X-B", "Authorization", "NVCF-POLL-SECONDS", "User-Agent")
        return {self._one(names): self._one(VALUES) for _ in range(self._random.randint(0, 3))}

    def _abilities(self) -> dict[str, Json]:
        return self._maybe(
            0.35,
            name=lambda: f"N{self._random.randint(0, 9)}",
            reasoning=lambda: self._one((True, False)),
            thinkingLevelMap=lambda: {self._one(("off", "low", "xhigh", "max")): self._one((None, "v", "w"))},
            input=lambda: self._one((["text"], ["text", "image"], [])),
            contextWindow=lambda: self._one((1000, 5)),
            maxTokens=lambda: self._one((100, 7)),
            promptCache=lambda: {self._one(("short", "long")): self._random.randint(1, 99)},
            samplingParams=lambda: {self._one("tu"): 1},
            inputLimits=lambda: self._one(
                ({"maxRequestBytes": 5}, {"images": {"maxPerRequest": 2}}, {"images": {"resize": {"maxWidth": 9}}})
            ),
            headers=self._headers,
            compat=self._compat,
        )

    def _definition(self, ids: Sequence[str]) -> dict[str, Json]:
        tiers = self._maybe(0.3, tiers=lambda: [{**self._rates(), "inputTokensAbove": 5}])
        return {
            **self._abilities(),
            **self._maybe(0.3, cost=lambda: {**self._rates(), **tiers}, api=lambda: self._one(APIS)),
            **self._maybe(0.3, baseUrl=lambda: "https://own/v1"),
            "id": self._one([*ids[:20], "new1", "new2", "new3"]),
        }

    def _override(self) -> dict[str, Json]:
        part = {key: rate for key, rate in self._rates().items() if self._random.random() < 0.5}
        return {**self._abilities(), **self._maybe(0.4, cost=lambda: part)}

    def _provider(self, provider: str) -> dict[str, Json]:
        ids = [model.id for model in self._catalog.models.get(provider, ())]
        return self._maybe(
            0.45,
            baseUrl=lambda: f"https://gateway{self._random.randint(0, 9)}/v1",
            api=lambda: self._one(APIS),
            apiKey=lambda: self._one(VALUES),
            headers=self._headers,
            compat=self._compat,
            authHeader=lambda: self._one((True, True, False)),
            models=lambda: [self._definition(ids) for _ in range(self._random.randint(0, 3))],
            modelOverrides=lambda: {
                self._one([*ids, "new1"]): self._override() for _ in range(self._random.randint(0, 3))
            },
        )

    def _credential(self) -> Json:
        """With and without variables; a key that has no value makes way for the environment's."""
        plain = {"type": "api_key", "key": self._one(VALUES)}
        env: Json = {"V1": "stored", "UNSET": "", "X": "y"}
        return self._one((plain, {**plain, "env": env}, {**plain, "env": {**env, "V2": 5, "Z": None, "L": [1]}}))

    def _fetched(self, provider: str) -> Json:
        ids = [model.id for model in self._catalog.models.get(provider, ())]
        models = [
            {
                "id": id,
                "name": "F",
                "api": self._one(APIS),
                "provider": self._one((provider, provider, "another")),
                "baseUrl": "https://fetched",
                "reasoning": False,
                "input": ["text"],
                "cost": self._rates(),
                "contextWindow": 5,
                "maxTokens": 5,
            }
            for id in self._random.sample([*ids, "fetched"], min(self._random.randint(0, 3), len(ids) + 1))  # noqa: A001
        ]
        at = self._catalog.generated_ms
        modified = self._maybe(0.8, lastModified=lambda: self._one((at - 1, at, at + 1, 9e12)))
        return {"models": models, "checkedAt": 1, **modified}
