"""The files behind a :class:`~piproxy.pi.view.View`, watched and put together.

All that pi has on disk goes in: catalog, auth.json, models.json, models-store.json.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from piproxy.model import Model
from piproxy.pi import models_file, models_store, values
from piproxy.pi.auth_entry import StoredEntry, find_entry
from piproxy.pi.catalog import Catalog, Choice
from piproxy.pi.compose import BadProvider, compose
from piproxy.pi.directory import AgentDirectory
from piproxy.pi.environment import ALIASES, PROVIDERS
from piproxy.pi.models_file import ModelsFile, ProviderConfig
from piproxy.pi.models_store import LLAMA, ModelsStore
from piproxy.pi.problem import Problem
from piproxy.pi.radius import DEFAULT_GATEWAY, RADIUS, gateway, is_radius, legacy_models
from piproxy.pi.sources import CatalogSource, StoredEntries, Watched, read_auth
from piproxy.pi.view import View


class Registry:
    """Everything that pi has in its directory and in the environment, kept up to date.

    ``apis`` are pi's api ids that piproxy speaks. :meth:`view` costs a few ``stat`` calls when nothing changed, and
    gives the same object then.
    """

    def __init__(
        self,
        directory: AgentDirectory,
        environ: Mapping[str, str],
        *,
        apis: Collection[str],
        catalog_choice: Choice = "auto",
        extra: tuple[Model, ...] = (),
    ) -> None:
        """``extra`` are models of piproxy's own (the demo provider); they come first and need no credential."""
        self.directory = directory
        self._environ = dict(environ)
        self._apis = frozenset(apis)
        self._choice: Choice = catalog_choice
        self._extra = extra
        self._open()

    def _open(self) -> None:
        self._catalog = CatalogSource(self._choice, self._environ)
        self._auth = Watched(self.directory.auth, read_auth)
        self._models = Watched(self.directory.models, models_file.read)
        self._store = Watched(self.directory.models_store, models_store.read)
        self._commands = values.CommandCache()
        self._seen: tuple[object, ...] = ()
        self._view = self.view()

    def reload(self) -> None:
        """Forget everything read, and read again (also looks for an installed pi again)."""
        self._open()

    def view(self) -> View:
        """The present state; never raises for what is in a file."""
        parts = self._catalog.current(), self._auth.current(), self._models.current(), self._store.current()
        problems = (
            *self._catalog.problems,
            *self._auth.problems,
            *self._models.problems,
            *self._store.problems,
        )
        seen = (*map(id, parts), problems)
        if seen != self._seen:
            self._view = self._build(*parts, problems)
            self._parts = parts  # keeps the ids in `seen` from being used again
            self._seen = seen
        return self._view

    def _build(
        self, catalog: Catalog, auth: StoredEntries, user: ModelsFile, store: ModelsStore, problems: tuple[Problem, ...]
    ) -> View:
        configs = _by_known_id(user.providers, catalog)
        found: list[Problem] = list(problems)
        groups: dict[str, Callable[[], tuple[Model, ...]]] = {}
        for provider in dict.fromkeys((*catalog.models, *PROVIDERS, LLAMA, *configs)):
            config = configs.get(provider)
            entry = find_entry(auth.entries, provider)
            base = partial(_baseline, provider, config, entry[1] if entry else None, catalog, store)
            groups[provider] = base
            if config is not None:
                try:
                    composed = compose(base(), config)
                except BadProvider as exc:
                    found.append(Problem(self.directory.models, f'Provider "{provider}": {exc}', config.line))
                    del configs[provider]
                else:
                    groups[provider] = partial(tuple, composed)
        return View(
            catalog=catalog,
            problems=tuple(found),
            _apis=self._apis,
            _groups=groups,
            _extra=self._extra,
            _auth=auth,
            _configs=configs,
            _environ=self._environ,
            _commands=self._commands,
        )


def _by_known_id(configs: Mapping[str, ProviderConfig], catalog: Catalog) -> dict[str, ProviderConfig]:
    """models.json's providers by the ids of the catalog in use: a provider may stand there by its other id (2.4)."""
    known: dict[str, ProviderConfig] = {}
    for provider, config in configs.items():
        other = ALIASES.get(provider, provider)
        renamed = provider not in catalog.models and other in catalog.models and other not in configs
        known[other if renamed else provider] = config
    return known


def _baseline(
    provider: str, config: ProviderConfig | None, entry: StoredEntry | None, catalog: Catalog, store: ModelsStore
) -> tuple[Model, ...]:
    """Catalog and store, before the user's layer."""
    if not is_radius(provider, config):
        return store.over(provider, catalog.models.get(provider, ()), catalog.generated_ms)
    shipped = catalog.models.get(RADIUS, ()) if gateway(config) == DEFAULT_GATEWAY else ()
    builtin = tuple(replace(model, provider=provider) for model in shipped)
    return store.over(provider, legacy_models(provider, entry) or builtin, catalog.generated_ms, replaces=True)
