"""The real clients: where they come from, how one is installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TABLE: Final = HERE / "clients.toml"
PLACE: Final = "PIPROXY_CLIENTS_DIR"
"""Names the folder in which clients are installed; kept between runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtualenv or a folder of npm packages, at pinned versions."""

    name: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return place() / ("py" if self.pip else "npm") / self.name

    @property
    def bin(self) -> Path:
        return self.folder / ("bin" if self.pip else "node_modules/.bin")

    def install(self) -> None:
        """Once; raises :class:`subprocess.CalledProcessError`."""
        stamp = self.folder / ".installed"
        wanted = "\n".join((*self.pip, *self.npm))
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.pip:
            subprocess.run([sys.executable, "-m", "venv", "--clear", self.folder], check=True)
            python, uv = self.bin / "python", shutil.which("uv")  # uv, where it is: some take pip half an hour
            install = (uv, "pip", "install", "--python", python) if uv else (python, "-m", "pip", "install")
            subprocess.run([*install, "-q", *self.pip], check=True)
        elif self.npm:
            quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(["npm", "install", "--prefix", self.folder, *quiet, *self.npm], check=True)
        stamp.write_text(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client: ``version`` of what, the driver that makes it ask, and which scenarios it plays with which model."""

    name: str
    version: str
    environment: Environment
    driver: str
    """A file in ``drivers/``."""
    mode: str = ""
    """The driver's first argument: sync, async, …"""
    node: str = "node"
    """``node22``: the Node of that environment."""
    cases: Mapping[str, tuple[str, ...]]
    """Model -> scenarios."""

    def plays(self) -> list[tuple[str, str, str]]:
        """(case, scenario, model) of each case; the first model's cases bear the scenario's own name."""
        first = next(iter(self.cases))
        return [
            (scenario if model == first else f"{scenario}-{model.removeprefix('wire-')}", scenario, model)
            for model, scenarios in self.cases.items()
            for scenario in scenarios
        ]

    def command(self) -> list[str]:
        """How the driver is started, but for its arguments."""
        driver = HERE / "drivers" / self.driver
        if driver.suffix == ".py":
            own = self.environment.pip and self.driver != "programs.py"
            python = self.environment.bin / "python" if own else Path(sys.executable)
            return [str(python), str(driver)]
        copied = self.environment.folder / driver.name  # where its imports are found
        for file in (driver, driver.with_name("common.mjs")):
            shutil.copy(file, copied.with_name(file.name))
        node = str(environments()["node22"].bin / "node") if self.node == "node22" else "node"
        return [node, str(copied)]


def place() -> Path:
    """The folder of the installed clients."""
    return Path(os.environ.get(PLACE) or Path(tempfile.gettempdir()) / "piproxy-clients")


def environments() -> dict[str, Environment]:
    """By name."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["environment"]
    return {
        name: Environment(name=name, pip=tuple(row.get("pip", ())), npm=tuple(row.get("npm", ())))
        for name, row in table.items()
    }


def clients() -> dict[str, Client]:
    """By name, in the table's order."""
    known = environments()
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["client"]
    return {
        name: Client(
            name=name,
            environment=known[row.get("environment", name)],
            version=row["version"],
            driver=row["driver"],
            mode=row.get("mode", ""),
            node=row.get("node", "node"),
            cases={model: tuple(scenarios) for model, scenarios in row["cases"].items()},
        )
        for name, row in table.items()
    }
