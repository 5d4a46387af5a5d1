"""An agent directory of pi's, written by a test, and a registry over it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from piproxy.jsontext import Json
from piproxy.model import Model
from piproxy.pi.catalog import Choice
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.registry import Registry
from piproxy.wire.rooms import ROOMS


class PiDirectory:
    """``pi`` with files; a ``str`` is written as it is, anything else as JSON."""

    def __init__(self, root: Path) -> None:
        self.agent = AgentDirectory(root)

    def auth(self, content: Json) -> PiDirectory:
        return self._write(self.agent.auth, content)

    def models(self, content: Json) -> PiDirectory:
        return self._write(self.agent.models, content)

    def store(self, content: Json) -> PiDirectory:
        return self._write(self.agent.models_store, content)

    def settings(self, content: Json) -> PiDirectory:
        return self._write(self.agent.settings, content)

    def registry(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        apis: Collection[str] = ROOMS,
        catalog_choice: Choice = "snapshot",
        extra: tuple[Model, ...] = (),
    ) -> Registry:
        return Registry(self.agent, environ or {}, apis=apis, catalog_choice=catalog_choice, extra=extra)

    def _write(self, path: Path, content: Json) -> PiDirectory:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return self


def model(provider: str, id: str, **fields: Json) -> Model:
    """A model with what a test does not care about filled in."""
    return Model(provider=provider, id=id, **{"api": "openai-completions", "base_url": "https://llm.test/v1", **fields})
