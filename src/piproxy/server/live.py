"""Settings of a running server: what is exposed follows the file at once, the rest waits for SIGHUP or a restart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from piproxy.errors import ConfigError
from piproxy.settings import Effective, Settings, load
from piproxy.settings.load import Flag

_EXPOSING: Final = (
    "public_model_id_mode",
    "model_exposure_mode",
    "scoped_providers",
    "custom_models",
    "provider_prefixes",
)


class LiveSettings:
    """The settings at the start, and the exposure keys of proxy-config.json as they are now."""

    def __init__(
        self,
        environ: Mapping[str, str],
        path: Path | None,
        flags: Mapping[str, Flag],
        flaws: Collection[str] | None = None,
    ) -> None:
        """``flaws``: those that the start has repaired, for a worker that joins a running proxy.

        Raises :class:`~piproxy.errors.ConfigError` where a start might lose the token of the file, and for any further
        flaw, where they are given.
        """
        self._environ = dict(environ)
        self._path = path
        self._flags = dict(flags)
        found = load(self._environ, self._path, self._flags)
        found.for_start()
        _no_news(found, found.flaws if flaws is None else flaws)
        self._take(found)

    def reload(self) -> None:
        """Read all sources again.

        Raises :class:`~piproxy.errors.ConfigError`, and changes nothing, also for what a start would repair and has not
        repaired yet: a file that is broken, or half written, must not take the token or a limit from a running proxy.
        """
        self._take(self._fresh())

    def _fresh(self) -> Effective:
        found = load(self._environ, self._path, self._flags)
        _no_news(found, self.effective.flaws)
        return found

    def _take(self, effective: Effective) -> None:
        self.effective = effective
        self.settings: Settings = effective.settings
        self._exposing = self.settings
        self._seen = self._fingerprint()

    def exposing(self) -> Settings:
        """The same object as long as nothing changed."""
        now = self._fingerprint()
        if now != self._seen:
            self._seen = now
            try:
                fresh = self._fresh().settings
            except ConfigError:
                return self._exposing
            self._exposing = replace(self.settings, **{name: getattr(fresh, name) for name in _EXPOSING})
        return self._exposing

    def _fingerprint(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _no_news(found: Effective, repaired: Collection[str]) -> None:
    if news := [flaw.partition(";")[0] for flaw in found.flaws if flaw not in repaired]:
        raise ConfigError("; ".join(news))
