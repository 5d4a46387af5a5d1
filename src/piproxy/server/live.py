"""Settings of a running server: what is exposed follows the file at once, the rest waits for SIGHUP or a restart."""

from __future__ import annotations

from collections.abc import Mapping
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

    def __init__(self, environ: Mapping[str, str], path: Path | None, flags: Mapping[str, Flag]) -> None:
        self._environ = dict(environ)
        self._path = path
        self._flags = dict(flags)
        self.reload()

    def reload(self) -> None:
        """Read all sources again. Raises :class:`~piproxy.errors.ConfigError`."""
        self.effective: Effective = load(self._environ, self._path, self._flags)
        self.settings: Settings = self.effective.settings
        self._exposing = self.settings
        self._seen = self._fingerprint()

    def exposing(self) -> Settings:
        """The same object as long as nothing changed."""
        now = self._fingerprint()
        if now != self._seen:
            self._seen = now
            try:
                fresh = load(self._environ, self._path, self._flags).settings
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
