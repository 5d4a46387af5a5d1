"""What one running proxy is made of: settings, models, logins, the exchange. Put together here, nothing is global."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from math import inf
from typing import Final

import trio

from piproxy.chat import Chat
from piproxy.credential import Credential
from piproxy.errors import ConfigError, CredentialError, ProviderError
from piproxy.exchange import Exchange, Limits, Providers, Upstream
from piproxy.exposure import Exposure, expose
from piproxy.logged import logged
from piproxy.model import Model
from piproxy.pi.enabled import Enabled, read_enabled
from piproxy.pi.login import Login
from piproxy.pi.registry import Registry
from piproxy.pi.sources import Watched
from piproxy.pi.view import BUILT_IN, View
from piproxy.server.guards import Guards
from piproxy.server.live import LiveSettings
from piproxy.server.log import Log
from piproxy.server.tally import Tally
from piproxy.settings import Settings
from piproxy.settings.addresses import beyond_loopback
from piproxy.upstream.keyring import Keyring

_NO_CHOICE: Final = Enabled()
_SAME_LOOK: Final = 0.01
"""Seconds; a look at pi's files costs a ``stat`` for each."""
DEMO: Final = "demo"
"""The api of the demo provider, which needs no key."""


class Engine:
    """The parts that outlive a request."""

    def __init__(
        self,
        *,
        live: LiveSettings,
        registry: Registry,
        keyring: Keyring,
        upstream: Upstream,
        log: Log,
        images: Callable[[Chat], Awaitable[Chat]] | None = None,
    ) -> None:
        self.log = log
        self.created = int(time.time())
        self.tally = Tally()
        providers = Providers(
            upstream=upstream,
            credential=self._credential,
            images=images,
            other=self._other_credential,
            blame=self._tell_origin,
        )
        self.exchange = Exchange(providers, limits(live.settings))
        self._live = live
        self._registry = registry
        self._keyring = keyring
        self._enabled: Watched[Enabled] | None = None
        self._exposed: tuple[tuple[View, Settings, Enabled], Exposure] | None = None
        self._exposing = trio.Lock()
        self._told: frozenset[str] = frozenset()
        self._looked = -inf, registry.view()
        self._loopback = not beyond_loopback(live.settings.addresses)
        self.apply(live.settings)

    def apply(self, settings: Settings) -> None:
        """Use these settings from now on; what is bound to sockets stays until the next start."""
        self.settings = settings
        self.guards = Guards.of(
            loopback=self._loopback,
            token=settings.auth_token,
            hosts=settings.allowed_hosts,
            origins=settings.allowed_origins,
        )
        self.exchange.limits = limits(settings)
        self.exchange.places.resize(settings.max_concurrency, settings.max_queue)
        self.exchange.providers.cache = settings.cache_retention

    def reload(self) -> None:
        """Read everything again: settings, models, credentials, an installed pi."""
        self._live.reload()
        self.apply(self._live.settings)
        self._registry.reload()
        self._looked = -inf, self._registry.view()
        self.log.event("settings and models were read again")

    async def exposure(self) -> Exposure:
        """What clients may use now. Files that changed have been read again; their trouble is in the log."""
        if (known := self._known()) is not None:
            return known
        async with self._exposing:
            if (known := self._known()) is not None:
                return known
            view, settings, enabled = state = self._state()
            available = await trio.to_thread.run_sync(view.available) if view.runs_commands else view.available()
            try:
                exposure = expose(available, settings, enabled.patterns, view.knows)
            except ConfigError as error:
                if self._exposed is None:
                    raise
                # A file that changed under a running proxy takes nothing away.
                self.log.event("the exposed models were not changed", reason=error.message)
                exposure = self._exposed[1]
            self._tell((*map(str, (*view.problems, *enabled.problems)), *view.idle(), *exposure.warnings))
            self._exposed = (state, exposure)
            return exposure

    def _state(self) -> tuple[View, Settings, Enabled]:
        settings = self._live.exposing()
        return self._look(), settings, self._pi_enabled(settings)

    def _look(self) -> View:
        """pi's files as they are now."""
        self._looked = trio.current_time(), self._registry.view()
        return self._looked[1]

    def _view(self) -> View:
        """pi's files as they are now, or as the same request found them just before."""
        at, view = self._looked
        return view if trio.current_time() - at < _SAME_LOOK else self._look()

    def _pi_enabled(self, settings: Settings) -> Enabled:
        """pi's own choice of models: the only reason to read its settings.json, and only in that mode."""
        if settings.model_exposure_mode != "enabled":
            return _NO_CHOICE
        if self._enabled is None:
            self._enabled = Watched(self._registry.directory.settings, read_enabled)
        return self._enabled.current()

    def _known(self) -> Exposure | None:
        """The exposure, if nothing it depends on has changed."""
        if self._exposed is None or any(a is not b for a, b in zip(self._exposed[0], self._state(), strict=True)):
            return None
        return self._exposed[1]

    def _tell(self, news: tuple[str, ...]) -> None:
        """Each trouble once, when it begins."""
        for text in news:
            if text not in self._told:
                self.log.event("warning", what=text)
        self._told = frozenset(news)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong in proxy-config.json and how it was taken."""
        return self._live.effective.warnings

    async def _credential(self, model: Model, override_key: str | None) -> Credential:
        if model.api == DEMO:
            return Credential()
        view = self._view()
        if view.needs_thread(model):
            login, headers = await trio.to_thread.run_sync(partial(_configured, view, model, override_key))
        else:
            login, headers = _configured(view, model, override_key)
        return await self._keyring.credential(model, login, headers, override_key=override_key)

    async def _other_credential(self, model: Model, refused: Credential, error: ProviderError) -> Credential | None:
        """What the provider may accept after it refused a credential; what was kept in memory for that is made anew."""
        view = self._look()
        login = await _checked(view, model)
        view.refused(model.provider)
        self._keyring.refused(model, login, refused, error)
        other = await self._credential(model, None)
        if other.secrets != refused.secrets:  # headers that commands make may differ each time and prove nothing
            self.log.event("a credential was refused, and another is tried", provider=model.provider)
            return other
        return None

    async def _tell_origin(self, model: Model, error: ProviderError) -> None:
        """Say in the error where the credential came from that was refused, and to nobody what it is."""
        login = await _checked(self._view(), model)
        whose = f"The credential {'is' if login.source == BUILT_IN else 'came from'} {login.source}."
        if login.entry is not None:
            whose += f" If it stays refused, log in again: run `pi` and enter `/login {login.provider}`."
        error.logged = f"{logged(error)} {whose}"
        error.message = f"{error.message} ({whose})"


async def _checked(view: View, model: Model) -> Login:
    if view.needs_thread(model):
        return await trio.to_thread.run_sync(view.check, model.provider)
    return view.check(model.provider)


def limits(settings: Settings) -> Limits:
    """The exchange's share of the settings."""
    return Limits(
        connect=settings.connect_timeout_sec,
        first_byte=settings.first_byte_timeout_sec,
        idle=settings.idle_timeout_sec,
        total=inf if settings.total_timeout is None else settings.total_timeout,
        keep_alive=settings.keep_alive_sec,
    )


def _configured(view: View, model: Model, override_key: str | None) -> tuple[Login, Mapping[str, str | None]]:
    login = view.login(model.provider, override_key)
    if not login.available:
        raise CredentialError(
            f"There is no usable credential for the provider {model.provider!r}: {login.problem}. Log in with pi "
            "(/login), or send a key with the header X-Pi-Upstream-Api-Key."
        )
    return login, view.request_headers(model, login=login, key=override_key)
