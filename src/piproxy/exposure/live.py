"""The exposure that is in force now: built again when pi's files or the exposure settings change, without a restart."""

from __future__ import annotations

from collections.abc import Callable

from piproxy.errors import ConfigError
from piproxy.exposure.models import Exposure, expose
from piproxy.pi import enabled
from piproxy.pi.jsonfile import Fingerprint, fingerprint
from piproxy.pi.problem import Problem
from piproxy.pi.registry import Registry, View
from piproxy.pi.sources import Watched
from piproxy.settings import Settings


class LiveExposure:
    """Keeps an :class:`~piproxy.exposure.models.Exposure` up to date.

    ``load_settings`` gives the settings anew; it is asked when proxy-config.json changes. Without it the settings stay
    as they are. The constructor raises :class:`~piproxy.errors.ConfigError`; later, a change that makes no sense leaves
    the last exposure in force and is told in :attr:`problem`.
    """

    def __init__(
        self, registry: Registry, settings: Settings, load_settings: Callable[[], Settings] | None = None
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._load = load_settings
        self._enabled = Watched(registry.directory.settings, enabled.read)
        self.problem: str | None = None
        """Why the last change was not taken over."""
        self._config = self._fingerprint()
        self._view = registry.view()
        self._patterns = self._read_patterns()
        self._exposure = expose(self._view.available(), settings, self._patterns)

    @property
    def blocks(self) -> bool:
        """:meth:`current` may run a command of auth.json, for up to 10 seconds: call it from a thread."""
        view = self._registry.view()
        return view is not self._view and view.runs_commands

    @property
    def view(self) -> View:
        """The state of pi's files that the exposure was made from."""
        return self._view

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in pi's files."""
        return (*self._view.problems, *self._enabled.problems)

    def current(self) -> Exposure:
        """The exposure now; costs a few ``stat`` calls when nothing changed."""
        view, config, patterns = self._registry.view(), self._fingerprint(), self._read_patterns()
        if (view, config, patterns) == (self._view, self._config, self._patterns):
            return self._exposure
        try:
            if config != self._config and self._load is not None:
                self._settings = self._load()
            self._exposure = expose(view.available(), self._settings, patterns)
        except ConfigError as exc:
            self.problem = exc.message
        else:
            self.problem = None
        self._view, self._config, self._patterns = view, config, patterns
        return self._exposure

    def _fingerprint(self) -> Fingerprint | None:
        return fingerprint(self._registry.directory.proxy_config) if self._load is not None else None

    def _read_patterns(self) -> tuple[str, ...]:
        """pi's settings.json is read in mode ``enabled`` only."""
        return self._enabled.current().patterns if self._settings.model_exposure_mode == "enabled" else ()
