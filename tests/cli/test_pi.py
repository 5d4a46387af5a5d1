"""``piproxy pi``: the extension in pi's directory. What it does there is tested in conformance/pi_session."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fakes.command import Home

from piproxy import __version__


def test_install_copies_what_pi_loads(home: Home) -> None:
    """The manifest names files that are there; who installed it is noted; installing again replaces it."""
    done = home.piproxy("pi", "install")
    folder = home.agent / "extensions" / "piproxy"
    assert done.stdout == f"installed in {folder}\n"
    manifest = json.loads((folder / "package.json").read_text())
    assert manifest["version"] == __version__
    assert all((folder / name).is_file() for name in manifest["pi"]["extensions"])
    assert json.loads((folder / "installed-by.json").read_text())["command"] == [sys.executable, "-m", "piproxy"]
    (folder / "old.ts").touch()
    assert home.piproxy("pi", "install").returncode == 0
    assert not (folder / "old.ts").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["piproxy"]


def test_uninstall_removes_it(home: Home) -> None:
    """What was installed goes, the settings stay; a second time there is nothing to do."""
    settings = home.write("proxy-config.json", {"port": 5000})
    home.piproxy("pi", "install")
    folder = home.agent / "extensions" / "piproxy"
    assert home.piproxy("pi", "uninstall").stdout == f"removed {folder}\n"
    assert not folder.exists()
    assert settings.exists()
    assert home.piproxy("pi", "uninstall").stdout == f"nothing is installed in {folder}\n"


def test_what_is_not_ours_stays(home: Home) -> None:
    """Another extension of the same name is neither replaced nor removed."""
    folder = home.agent / "extensions" / "piproxy"
    folder.mkdir(parents=True)
    (folder / "index.ts").write_text("// mine")
    for command in ("install", "uninstall"):
        done = home.piproxy("pi", command)
        assert done.returncode == 2
        assert "is not piproxy's extension" in done.stderr
    assert (folder / "index.ts").read_text() == "// mine"


def test_a_link_to_a_checkout_is_replaced(home: Home) -> None:
    """A link is taken away; what it leads to is not touched."""
    source = Path(home.piproxy("pi", "path").stdout.strip())
    folder = home.agent / "extensions" / "piproxy"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(source)
    assert home.piproxy("pi", "install").returncode == 0
    assert not folder.is_symlink()
    assert (source / "proxy.ts").exists()
    assert not (source / "installed-by.json").exists()


def test_a_checkout_is_a_pi_package() -> None:
    """``pi install`` of the whole checkout finds the extension by the manifest at its root."""
    root = Path(__file__).parents[2]
    manifest = json.loads((root / "package.json").read_text())
    assert [(root / name).is_file() for name in manifest["pi"]["extensions"]] == [True]
