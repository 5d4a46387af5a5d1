"""Finds the pi that the user has installed, without running it (pi-on-disk.md, 7.3).

Layouts known: npm, Bun and yarn (symlinked launcher), pnpm (a shell script that names the file), Windows shims, the
pi.dev installer (a launcher that sets ``PI_MANAGED_INSTALL_ROOT``), a local ``node_modules/.bin``, and
``PI_PACKAGE_DIR``. A compiled pi, or a version manager's wrapper, has no data to show: nothing is found then.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os.path import realpath  # pathlib's raises for links in a circle
from pathlib import Path
from typing import Final

_LAUNCHERS: Final = ("pi.cmd", "pi.exe", "pi") if os.name == "nt" else ("pi",)
_PACKAGE: Final = "/pi-coding-agent"
_CLI_PATH: Final = re.compile(
    r"""["']([^"'\n]*[\\/](?:@earendil-works|@mariozechner)[\\/]pi-coding-agent[\\/]dist[\\/](?:bundle[\\/])?cli\.js)["']"""
)
_MANAGED_ROOT: Final = re.compile(r"""PI_MANAGED_INSTALL_ROOT=["']?([^"'\s;]+)""")
_HERE: Final = re.compile(r"^(?:\$basedir|\$\{basedir\}|%~dp0|%dp0%)[\\/]?")
_LOOK_AT: Final = 65_536


@dataclass(frozen=True, slots=True)
class InstalledPi:
    """An installed pi and the package that holds its catalog."""

    version: str
    package: Path
    """The pi-coding-agent package."""
    pi_ai: Path
    """The pi-ai package beside or inside it."""


def find_installed(environ: Mapping[str, str]) -> InstalledPi | None:
    """The first pi with readable packages: ``PI_PACKAGE_DIR``, else each ``pi`` on ``PATH``."""
    for candidate in _candidates(environ):
        package = _package_above(candidate)
        if package is None:
            continue
        directory, name, version = package
        pi_ai = _neighbour(directory, f"{name.removesuffix(_PACKAGE)}/pi-ai")
        if pi_ai is not None:
            return InstalledPi(version, directory, pi_ai)
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Places inside a pi-coding-agent package."""
    named = environ.get("PI_PACKAGE_DIR", "")
    if named:
        yield _expanded(named)
        return
    for folder in environ.get("PATH", "").split(os.pathsep):
        for name in _LAUNCHERS if folder else ():
            launcher = Path(folder, name)  # its own questions raise in a directory that may not be looked at
            if os.access(launcher, os.F_OK):
                yield from _behind(launcher)


def _behind(launcher: Path) -> Iterator[Path]:
    """What the launcher would run."""
    target = Path(realpath(launcher))
    if target.suffix == ".js":
        yield target
        return
    try:
        with target.open("rb") as file:
            text = file.read(_LOOK_AT).decode("utf-8", "replace")
    except OSError:
        return
    if not (text.startswith("#!") or target.suffix == ".cmd"):
        return
    managed = _MANAGED_ROOT.search(text)
    if managed is not None:
        yield from _managed(_expanded(os.path.expandvars(managed[1])))
    for path in _CLI_PATH.findall(text):
        yield Path(realpath(Path(target.parent, _HERE.sub("", path).replace("\\", "/"))))


def _expanded(path: str) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for users that do not exist


def _managed(root: Path) -> Iterator[Path]:
    """The package of the pi.dev installer's current release."""
    try:
        version = (root / "current-version").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return
    modules = root / "releases" / version / "node_modules"
    yield from (modules / scope / "pi-coding-agent" for scope in ("@earendil-works", "@mariozechner"))


def _package_above(place: Path) -> tuple[Path, str, str] | None:
    """The pi-coding-agent package that holds ``place``: directory, name, version."""
    for directory in (place, *place.parents):
        try:
            manifest = json.loads((directory / "package.json").read_bytes())
        except (OSError, ValueError):
            continue
        name = manifest.get("name") if isinstance(manifest, dict) else None
        if isinstance(name, str) and name.endswith(_PACKAGE):
            return Path(realpath(directory)), name, str(manifest.get("version", ""))
    return None


def _neighbour(directory: Path, name: str) -> Path | None:
    """Node's look-up of package ``name`` from inside ``directory``."""
    for ancestor in (directory, *directory.parents):
        found = ancestor / "node_modules" / name
        if any(os.access(found / part, os.F_OK) for part in ("package.json", "dist")):
            return Path(realpath(found))
    return None
