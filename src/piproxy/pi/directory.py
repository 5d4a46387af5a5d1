"""Where pi keeps its files (pi-on-disk.md, 1.1 and 1.2). No file is touched here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

VARIABLE: Final = "PI_CODING_AGENT_DIR"


@dataclass(frozen=True, slots=True)
class AgentDirectory:
    """pi's agent directory and the files in it that piproxy reads or writes."""

    root: Path

    @property
    def auth(self) -> Path:
        """Stored credentials; written only when a login is refreshed."""
        return self.root / "auth.json"

    @property
    def models(self) -> Path:
        """The user's own providers and models; read only."""
        return self.root / "models.json"

    @property
    def models_store(self) -> Path:
        """Catalogs that pi fetched; read only."""
        return self.root / "models-store.json"

    @property
    def settings(self) -> Path:
        """pi's settings, of which only ``enabledModels`` is read."""
        return self.root / "settings.json"

    @property
    def proxy_config(self) -> Path:
        return self.root / "proxy-config.json"

    @property
    def proxy_pid(self) -> Path:
        return self.root / "proxy.pid"


def agent_directory(environ: Mapping[str, str], home: Path, cwd: Path | None = None) -> AgentDirectory:
    """The directory as pi 1.5 finds it, made absolute once (``cwd`` is the process's own by default).

    ``~`` and ``~/x`` are expanded, ``~user`` is not; a ``file://`` URL becomes a path; an empty value counts as unset;
    nothing is trimmed.
    """
    value = environ.get(VARIABLE, "")
    absolute = os.path.abspath((cwd or Path.cwd()) / _as_path(value, home))  # noqa: PTH100 - symlinks stay, as in pi
    return AgentDirectory(Path(absolute))


def _as_path(value: str, home: Path) -> Path:
    if not value:
        return home / ".pi" / "agent"
    if value == "~":
        return home
    if value.startswith("~/"):
        return home / value[2:]
    if value.startswith("file://"):
        return Path(url2pathname(urlsplit(value).path))
    return Path(value)
