"""What every command looks at: the environment, pi's directory, the settings, the models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from piproxy.exposure import Exposure, expose
from piproxy.pi.directory import AgentDirectory, agent_directory
from piproxy.pi.enabled import Enabled, read_enabled
from piproxy.pi.registry import Registry
from piproxy.pi.view import View
from piproxy.settings import Effective, load
from piproxy.settings.load import Flag
from piproxy.wire.demo import models as demo_models
from piproxy.wire.rooms import ROOMS


@dataclass(frozen=True)
class Surroundings:
    """Read once, when first asked for. Raises :class:`~piproxy.errors.ConfigError` for bad variables and flags."""

    environ: Mapping[str, str]
    directory: AgentDirectory
    flags: Mapping[str, Flag]

    @cached_property
    def effective(self) -> Effective:
        """The settings, and where each came from."""
        return load(self.environ, self.directory.proxy_config, self.flags)

    @cached_property
    def view(self) -> View:
        """Models and credentials."""
        settings = self.effective.settings
        return Registry(
            self.directory,
            self.environ,
            apis=ROOMS,
            catalog_choice=settings.catalog,
            extra=demo_models() if settings.demo else (),
        ).view()

    @cached_property
    def enabled(self) -> Enabled:
        """pi's own selection of models."""
        return read_enabled(self.directory.settings)

    @cached_property
    def exposure(self) -> Exposure:
        """What a server started now would offer. Raises :class:`~piproxy.errors.ConfigError`."""
        return expose(self.view.available(), self.effective.settings, self.enabled.patterns)


def surroundings(**flags: Flag) -> Surroundings:
    """Those of this process."""
    environ = dict(os.environ)
    return Surroundings(environ, agent_directory(environ, Path.home()), flags)


def only_file(around: Surroundings) -> Surroundings:
    """The same with nothing from the environment and no flags: what the file alone says."""
    return replace(around, environ={}, flags={})
