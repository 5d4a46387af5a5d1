"""One frozen state of all that pi has on disk: which models there are, what they can be used with, what is sent along.

Made by :class:`piproxy.pi.registry.Registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from piproxy.errors import CredentialError
from piproxy.headers import flaw, layered, trimmed
from piproxy.model import Model
from piproxy.pi import logins, values
from piproxy.pi.auth_entry import ApiKeyEntry, OAuthEntry, StoredEntry, find_entry
from piproxy.pi.catalog import Catalog
from piproxy.pi.login import Login
from piproxy.pi.models_file import ProviderConfig
from piproxy.pi.problem import Problem
from piproxy.pi.radius import RADIUS, gateway
from piproxy.pi.sources import StoredEntries

Variables: TypeAlias = tuple[Mapping[str, str], ...]
"""Asked from left to right."""

COPILOT: Final = "github-copilot"
BUILT_IN: Final = "built into piproxy"
"""Where the credential of a provider of piproxy's own comes from: the demo's."""


class UnresolvedValue(CredentialError):
    """A key or header of models.json cannot be resolved; the message is pi's, with a command's failure for its line."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A model of pi's that piproxy does not offer, whatever the credentials.

    ``api`` is the one that piproxy does not speak; ``None`` for what is no chat model.
    """

    provider: str
    id: str
    why: str
    api: str | None = None

    @property
    def canonical_id(self) -> str:
        return f"{self.provider}/{self.id}"


@dataclass(frozen=True, eq=False)
class View:
    """One frozen state of everything; safe to use from any thread, and for as long as it is needed."""

    catalog: Catalog
    problems: tuple[Problem, ...]
    _apis: frozenset[str]
    """The apis that piproxy speaks."""
    _groups: Mapping[str, Callable[[], tuple[Model, ...]]]
    """Providers in pi's order, each with what reads its models, when they are needed."""
    _extra: tuple[Model, ...]
    """Models of piproxy's own, whose providers need no credential."""
    _auth: StoredEntries
    _configs: Mapping[str, ProviderConfig]
    _environ: Mapping[str, str]
    _commands: values.CommandCache
    """Outcomes of auth.json's commands."""

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """All chat models whose api piproxy speaks, with or without a credential, in pi's order."""
        return (*self._extra, *(model for provider in self._groups for model in self._spoken(provider)))

    @cached_property
    def hidden(self) -> tuple[Hidden, ...]:
        """What there is beside :attr:`models`."""
        return (
            *(
                Hidden(model.provider, model.id, f"api {model.api!r} is not spoken here", model.api)
                for provider in self._groups
                for model in self._all(provider)
                if model.api not in self._apis
            ),
            *(
                Hidden(provider, id, f"not a chat model ({kind})")
                for provider, kinds in self.catalog.others.items()
                for kind, ids in kinds.items()
                for id in ids  # noqa: A001
            ),
        )

    def _all(self, provider: str) -> tuple[Model, ...]:
        models = self._known.get(provider)
        return self._known.setdefault(provider, self._groups[provider]()) if models is None else models

    def _spoken(self, provider: str) -> tuple[Model, ...]:
        return tuple(model for model in self._all(provider) if model.api in self._apis)

    @cached_property
    def _known(self) -> dict[str, tuple[Model, ...]]:
        return {}

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset(model.provider for model in self._extra)

    @cached_property
    def by_id(self) -> Mapping[str, Model]:
        """:attr:`models` by canonical id."""
        return {model.canonical_id: model for model in self.models}

    def knows(self, id: str) -> bool:
        """Is there a model of that canonical id, or of that id at a provider that somebody has set up?

        Whatever clients see and piproxy speaks. Runs no command, and reads no more than it must: the whole catalog
        takes a tenth of a second.
        """
        providers = dict.fromkeys((*self._groups, *self.catalog.others))
        return any(id.startswith(f"{one}/") and self._has(one, id[len(one) + 1 :]) for one in providers) or any(
            self._has(one, id)
            for one in self._groups
            if self.entry(one) or self.config(one) or ((login := self._checks.get(one)) and login.available)
        )

    def _has(self, provider: str, id: str) -> bool:
        models = self._all(provider) if provider in self._groups else ()
        others = self.catalog.others.get(provider, {}).values()
        return any(model.id == id for model in models) or any(id in ids for ids in others)

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The providers of :attr:`models`, in order."""
        return tuple(dict.fromkeys(model.provider for model in self.models))

    def available(self) -> tuple[Model, ...]:
        """The models whose provider has a credential, in order (8.1).

        Blocks while a new ``!command`` of auth.json runs for the first time (:attr:`runs_commands`).
        """
        return self._available

    @cached_property
    def _available(self) -> tuple[Model, ...]:
        found = list(self._extra)
        for provider in self._groups:
            # Most of the catalog's providers have no credential: their models are not even read.
            if provider in self.catalog.models and not self.check(provider).available:
                continue
            found += [model for model in self._spoken(provider) if self.why_not(model) is None]
        return tuple(found)

    @cached_property
    def runs_commands(self) -> bool:
        """Asking for :meth:`available` or a login may run a command of auth.json: call it from a thread then."""
        return any(_is_command(self.entry(provider)) and self._spoken(provider) for provider in self._groups)

    def _commanded(self, provider: str) -> bool:
        """May the provider's key come from a command?"""
        config = self.config(provider)
        ours = config is not None and config.api_key is not None and config.api_key.startswith("!")
        return ours or _is_command(self.entry(provider))

    def why_not(self, model: Model) -> str | None:
        """Why the model cannot be used now; ``None`` when it can. May block as :meth:`available`."""
        login = self._checks.get(model.provider) or self._check(model.provider)
        if not login.available:
            return login.problem or "no credential"
        allowed = login.entry.available_model_ids if login.entry and model.provider == COPILOT else None
        if allowed is not None and model.id not in allowed:
            return "the Copilot login does not include this model"
        return None

    def idle(self) -> tuple[str, ...]:
        """Providers set up in the user's files that cannot be used, and why. May block as :meth:`available`."""
        found = []
        for provider in self._groups:
            config = self.config(provider)
            set_up = self.entry(provider) is not None or (config is not None and config.api_key is not None)
            if set_up and self._spoken(provider):
                problem = self.check(provider).problem
                found += [f"{provider}: {problem}"] if problem else []
        return tuple(found)

    def check(self, provider: str) -> Login:
        """Like :meth:`login`, but commands of models.json are not run."""
        return self._checks.get(provider) or self._check(provider)

    def login(self, provider: str, override: str | None = None) -> Login:
        """What is configured for the provider now; ``override`` is a key that the client sent along.

        Blocks while commands run: call from a thread if :meth:`needs_thread`.
        """
        if override is None and not self._commanded(provider):
            return self.check(provider)  # nothing that is asked again could say anything else
        return self._resolve(provider, override=override)

    def entry(self, provider: str) -> StoredEntry | None:
        """The provider's entry in auth.json."""
        found = find_entry(self._auth.entries, provider)
        return found[1] if found else None

    def config(self, provider: str) -> ProviderConfig | None:
        """The provider's entry in models.json."""
        return self._configs.get(provider)

    @property
    def stored(self) -> tuple[str, ...]:
        """The keys of auth.json's entries, whatever they hold."""
        return tuple(self._auth.entries)

    def unresolved(self, provider: str) -> tuple[str, ...]:
        """Every key and header for the provider that has no value now, or none that can be sent, and why.

        Blocks while commands run, each once: it is what a request would meet.
        """
        config = self.config(provider)
        login = self.login(provider)
        found = []
        if config is not None and self.entry(provider) is None and not login.available:
            found.append(login.problem or "no credential")
        if why := flaw(login.key or ""):
            found.append(f"the key ({login.source}) cannot be sent: {why}")
        if config is None:
            return tuple(found)
        of_provider, of_model = self._variables(provider, login)
        asked = [(f'provider "{provider}"', config.headers, of_provider)]
        asked += [
            (f'model "{model.canonical_id}"', config.model_headers(model.id), of_model)
            for model in self.models
            if model.provider == provider
        ]
        known: dict[tuple[str, int], str | values.Unresolved] = {}
        for whose, headers, variables in asked:
            for name, text in headers.items():
                layers = 0 if text.startswith("!") else len(variables)  # a command prints the same for both
                if (text, layers) not in known:
                    known[text, layers] = values.expand(text, *variables)
                value = known[text, layers]
                if isinstance(value, values.Unresolved):
                    found.append(f'Failed to resolve {whose} header "{name}" from {value.words}')
                elif why := flaw(value, name):
                    found.append(f'the header "{name}" of {whose} cannot be sent: {why}')
        return tuple(found)

    def refused(self, provider: str) -> None:
        """The provider did not accept the key: a command of auth.json that printed it will run anew.

        Unlike pi, which keeps the outcome as long as it lives: a proxy lives longer than many a key.
        """
        entry = self.entry(provider)
        if isinstance(entry, ApiKeyEntry) and entry.key and _is_command(entry):
            self._commands.refused(entry.key[1:])

    def needs_thread(self, model: Model) -> bool:
        """:meth:`login` or :meth:`request_headers` may run a command, for up to 10 seconds each."""
        config = self.config(model.provider)
        texts = () if config is None else (*config.headers.values(), *config.model_headers(model.id).values())
        return any(text.startswith("!") for text in texts) or self._commanded(model.provider)

    def request_headers(
        self, model: Model, *, login: Login | None = None, key: str | None = None
    ) -> Mapping[str, str | None]:
        """The configured headers of a request, pi's steps 4 to 7 (8.3): models.json's provider headers, ``authHeader``,
        the catalog's own, models.json's model headers.

        ``key`` is the key or token that goes into ``authHeader``, by default that of ``login``, by default of
        :meth:`login`. Raises :class:`UnresolvedValue`, :class:`~piproxy.errors.CredentialError`. Blocks while commands
        run: call from a thread if :meth:`needs_thread`.
        """
        config = self.config(model.provider)
        if config is None:
            return dict(model.headers)
        login = login or self.login(model.provider)
        of_provider, of_model = self._variables(model.provider, login)
        provider_headers = _resolved(config.headers, f'provider "{model.provider}"', of_provider)
        bearer: dict[str, str | None] = {}
        if config.auth_header:
            key = key or login.key
            if not key and login.problem and config.api_key is not None:
                raise UnresolvedValue(login.problem)
            if not key:
                raise CredentialError(f'No API key found for "{model.provider}"')
            if _has_its_own_header(model.provider, login):
                raise CredentialError(
                    f'authHeader in models.json does not go with "{model.provider}", which has a header of its own'
                )
            bearer["Authorization"] = f"Bearer {trimmed(key)}"
        model_headers = _resolved(config.model_headers(model.id), f'model "{model.canonical_id}"', of_model)
        return layered(provider_headers, bearer, model.headers, model_headers)

    def _variables(self, provider: str, login: Login) -> tuple[Variables, Variables]:
        """Where the headers of models.json look for variables: those of the provider, and those of its models.

        Stored variables count for the models' headers only where pi passes them on with the key: not beside a login, a
        Vertex key, or a key that comes from the environment.
        """
        stored = _stored_env(self.entry(provider))
        return (login.env, stored, self._environ), (login.env, self._environ)

    @cached_property
    def _checks(self) -> dict[str, Login]:
        return {}

    def _check(self, provider: str) -> Login:
        login = self._checks[provider] = self._resolve(provider, run_commands=False)
        return login

    def _resolve(self, provider: str, *, override: str | None = None, run_commands: bool = True) -> Login:
        if provider in self._own:
            return Login(provider=provider, kind="api_key", source=BUILT_IN)
        config = self.config(provider)
        return logins.resolve(
            provider,
            self.entry(provider),
            config.api_key if config else None,
            self._environ,
            override=override,
            run_commands=run_commands,
            oauth=RADIUS if config and config.radius else None,
            gateway=gateway(config) if config and config.radius else None,
            stored_commands=self._commands,
        )


def _resolved(headers: Mapping[str, str], whose: str, variables: Variables) -> Mapping[str, str | None]:
    resolved: dict[str, str | None] = {}
    for name, text in headers.items():
        value = values.expand(text, *variables)
        if isinstance(value, values.Unresolved):
            raise UnresolvedValue(f'Failed to resolve {whose} header "{name}" from {value.words}')
        resolved[name] = value
    return resolved


def _stored_env(entry: StoredEntry | None) -> Mapping[str, str]:
    if isinstance(entry, ApiKeyEntry):
        return entry.env
    env = entry.raw.get("env") if isinstance(entry, OAuthEntry) else None
    return {name: text for name, text in env.items() if isinstance(text, str)} if isinstance(env, dict) else {}


def _has_its_own_header(provider: str, login: Login) -> bool:
    """The key or token is no ``Authorization`` that may be doubled: pi fails such a request, too."""
    if provider == "cloudflare-ai-gateway":
        return True
    return login.kind == "auth_token" or (login.kind == "oauth" and login.flow == "kimi-coding")


def _is_command(entry: StoredEntry | None) -> bool:
    return isinstance(entry, ApiKeyEntry) and entry.key is not None and entry.key.startswith("!")
