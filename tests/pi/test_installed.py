"""An installed pi is found in every layout, and never run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from piproxy.pi.installed import InstalledPi, find_installed

SCOPE = "@earendil-works"


def package(directory: Path, name: str, version: str = "1.6.0") -> Path:
    """A package with a launcher and, for pi-ai, a place for its data."""
    (directory / "dist" / "bundle").mkdir(parents=True)
    (directory / "package.json").write_text(json.dumps({"name": name, "version": version}))
    (directory / "dist" / "bundle" / "cli.js").write_text("#!/usr/bin/env node\nthrow new Error('run')\n")
    return directory


def pi(modules: Path, scope: str = SCOPE) -> Path:
    return package(modules / scope / "pi-coding-agent", f"{scope}/pi-coding-agent")


def pi_ai(modules: Path, scope: str = SCOPE) -> Path:
    return package(modules / scope / "pi-ai", f"{scope}/pi-ai")


def launcher(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "pi"


def find(path: Path | str, **environ: str) -> InstalledPi | None:
    return find_installed({"PATH": f"/nowhere{os.pathsep}{os.pathsep}{path}", **environ})


def test_npm_global(tmp_path: Path) -> None:
    """npm -g: a symlink to the launcher, pi-ai nested inside the package."""
    home = pi(tmp_path / "lib" / "node_modules")
    nested = pi_ai(home / "node_modules")
    launcher(tmp_path / "bin").symlink_to("../lib/node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js")
    assert find(tmp_path / "bin") == InstalledPi("1.6.0", home, nested)


def test_bun_and_yarn_hoisted(tmp_path: Path) -> None:
    """Bun and yarn: a symlink, and both packages side by side."""
    modules = tmp_path / "global" / "node_modules"
    home, beside = pi(modules), pi_ai(modules)
    launcher(tmp_path / "bin").symlink_to(home / "dist" / "bundle" / "cli.js")
    assert find(tmp_path / "bin") == InstalledPi("1.6.0", home, beside)


@pytest.mark.parametrize("quoted", ['"$basedir/{}"', "'{abs}'", '"${{basedir}}/{}"'])
def test_pnpm_global(quoted: str, tmp_path: Path) -> None:
    """pnpm: a shell script that names the file, in a store where pi-ai is a sibling by symlink."""
    store = tmp_path / "store"
    modules = store / ".pnpm" / "pi-coding-agent@1.6.0" / "node_modules"
    home = pi(modules)
    real = pi_ai(store / ".pnpm" / "pi-ai@1.6.0" / "node_modules")
    (modules / SCOPE / "pi-ai").symlink_to(real)
    (store / "node_modules" / SCOPE).mkdir(parents=True)
    (store / "node_modules" / SCOPE / "pi-coding-agent").symlink_to(home)
    cli = "store/node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js"
    target = quoted.format("../" + cli, abs=tmp_path / cli)
    script = launcher(tmp_path / "bin")
    script.write_text(f'#!/bin/sh\nbasedir=$(dirname "$0")\nexec node {target} "$@"\n')
    assert find(tmp_path / "bin") == InstalledPi("1.6.0", home, real)


def test_local_bin(tmp_path: Path) -> None:
    """A project's node_modules/.bin."""
    modules = tmp_path / "node_modules"
    home, beside = pi(modules, "@mariozechner"), pi_ai(modules, "@mariozechner")
    launcher(modules / ".bin").symlink_to("../@mariozechner/pi-coding-agent/dist/bundle/cli.js")
    assert find(modules / ".bin") == InstalledPi("1.6.0", home, beside)


def test_managed_install(tmp_path: Path) -> None:
    """The pi.dev installer: the launcher names a root, a file there names the release."""
    home = pi(tmp_path / "root" / "releases" / "1.6.0" / "node_modules")
    nested = pi_ai(home / "node_modules")
    (tmp_path / "root" / "current-version").write_text("1.6.0\n")
    launcher(tmp_path / "bin").write_text(f'#!/bin/sh\nexport PI_MANAGED_INSTALL_ROOT="{tmp_path}/root"\nexec "$x"\n')
    assert find(tmp_path / "bin") == InstalledPi("1.6.0", home, nested)


def test_package_directory_is_the_only_place_when_named(tmp_path: Path) -> None:
    """PI_PACKAGE_DIR names the package; PATH is not searched then."""
    home = pi(tmp_path / "node_modules")
    nested = pi_ai(home / "node_modules")
    assert find("", PI_PACKAGE_DIR=str(home)) == InstalledPi("1.6.0", home, nested)
    launcher(tmp_path / "bin").symlink_to(home / "dist" / "bundle" / "cli.js")
    assert find(tmp_path / "bin", PI_PACKAGE_DIR=str(tmp_path / "elsewhere")) is None


def test_scope_of_another_publisher_does_not_fit(tmp_path: Path) -> None:
    """pi-ai must come from the same publisher as pi."""
    modules = tmp_path / "node_modules"
    home = pi(modules)
    pi_ai(modules, "@mariozechner")
    launcher(tmp_path / "bin").symlink_to(home / "dist" / "bundle" / "cli.js")
    assert find(tmp_path / "bin") is None


@pytest.mark.parametrize("content", [b"\x7fELF\0\0@earendil-works", b"#!/bin/sh\nexec volta run pi\n", b""])
def test_launcher_without_data(content: bytes, tmp_path: Path) -> None:
    """A compiled pi, or a version manager's wrapper, leads nowhere."""
    launcher(tmp_path).write_bytes(content)
    assert find(tmp_path) is None


def test_second_pi_on_path_is_tried(tmp_path: Path) -> None:
    """A launcher that leads nowhere does not hide the next one."""
    launcher(tmp_path / "a").write_text("#!/bin/sh\n")
    home = pi(tmp_path / "node_modules")
    beside = pi_ai(tmp_path / "node_modules")
    launcher(tmp_path / "b").symlink_to(home / "dist" / "bundle" / "cli.js")
    assert find(f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}") == InstalledPi("1.6.0", home, beside)


def test_a_place_that_cannot_be_looked_at_is_passed_by(tmp_path: Path) -> None:
    """Of another user's directories on PATH the system tells nothing but an error; so it does of names too long."""
    modules = tmp_path / "node_modules"
    home, beside = pi(modules), pi_ai(modules)
    launcher(tmp_path / "bin").symlink_to(home / "dist" / "bundle" / "cli.js")
    unreadable = tmp_path / ("x" * 300)
    assert find(f"{unreadable}{os.pathsep}{tmp_path / 'bin'}") == InstalledPi("1.6.0", home, beside)
    for named in (str(unreadable), "~nobody-has-this-name/pi"):
        assert find("", PI_PACKAGE_DIR=named) is None


def test_a_launcher_that_names_a_circle_is_none(tmp_path: Path) -> None:
    """A shell script of pnpm's, and what it names leads back to itself."""
    circle = tmp_path / "@earendil-works" / "pi-coding-agent" / "dist" / "cli.js"
    circle.parent.mkdir(parents=True)
    circle.symlink_to("cli.js")
    launcher(tmp_path / "bin").write_text(f'#!/bin/sh\nexec node "{circle}" "$@"\n')
    assert find(tmp_path / "bin") is None


def test_nothing_on_path() -> None:
    """Without pi nothing is found."""
    assert find_installed({}) is None
