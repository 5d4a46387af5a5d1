"""What one running proxy is made of: settings, models, logins, the exchange. Put together here, nothing is global."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import trio

from piproxy.credential import Credential
from piproxy.events import Usage
from piproxy.exchange import Exchange, Limits, Record, Upstream
from piproxy.exposure import Exposure
from piproxy.model import Model
from piproxy.pi.cost import price
from piproxy.pi.registry import Registry, View
from piproxy.server.guards import Guards, is_loopback
from piproxy.server.log import Log
from piproxy.settings import Settings
from piproxy.upstream.keyring import Keyring


class Engine:
    """The parts that outlive a request."""

    def __init__(
        self, *, settings: Settings, registry: Registry, keyring: Keyring, upstream: Upstream, log: Log
    ) -> None:
        self.settings = settings
        self.log = log
        self.created = int(time.time())
        self.guards = Guards(
            loopback=is_loopback(settings.host),
            token=settings.auth_token,
            hosts=frozenset(host.lower() for host in settings.allowed_hosts),
            origins=frozenset(settings.allowed_origins),
        )
        self.exchange = Exchange(
            upstream=upstream,
            credential=self._credential,
            limits=limits(settings),
            cache=settings.cache_retention,
        )
        self._registry = registry
        self._keyring = keyring
        self._exposed: tuple[View, Exposure] | None = None
        self._exposing = trio.Lock()

    async def exposure(self) -> Exposure:
        """What clients may use now. Files that changed have been read again; their trouble is in the log."""
        view = self._registry.view()
        if self._exposed is not None and self._exposed[0] is view:
            return self._exposed[1]
        async with self._exposing:
            if self._exposed is not None and self._exposed[0] is view:
                return self._exposed[1]
            exposure = await trio.to_thread.run_sync(partial(_expose, view, self.settings))
            for problem in view.problems:
                self.log.event(f"problem in {problem}")
            self._exposed = (view, exposure)
            return exposure

    def price(self, model: Model, record: Record) -> Callable[[Usage], float | None]:
        """The cost of a usage in US dollars, noted in the record as well."""

        def cost(usage: Usage) -> float | None:
            record.cost = price(usage, model.cost).total
            return record.cost

        return cost

    async def _credential(self, model: Model, override_key: str | None) -> Credential:
        if model.api == "demo":
            return Credential()
        view = self._registry.view()
        login, headers = await trio.to_thread.run_sync(partial(_login, view, model, override_key))
        return await self._keyring.credential(model, login, headers, override_key=override_key)


def limits(settings: Settings) -> Limits:
    """The exchange's share of the settings."""
    return Limits(
        connect=settings.connect_timeout,
        first_byte=settings.first_byte_timeout,
        idle=settings.idle_timeout,
        total=settings.total_timeout,
        keep_alive=settings.keep_alive,
    )
