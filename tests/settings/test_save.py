"""proxy-config.json is changed key by key and never lost."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from piproxy.errors import ConfigError
from piproxy.settings import load, save


def test_saving_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    """Unknown keys and their order stay; the form is the Node proxy's: tabs and a final newline."""
    path = tmp_path / "proxy-config.json"
    path.write_text('{"mine": {"é": [1]}, "port": 1, "host": "h"}', encoding="utf-8")
    save(path, {"port": 8080, "customModels": ("a/b",)}, remove=["host"])
    assert path.read_text(encoding="utf-8") == (
        '{\n\t"mine": {\n\t\t"é": [\n\t\t\t1\n\t\t]\n\t},\n\t"port": 8080,\n\t"customModels": [\n\t\t"a/b"\n\t]\n}\n'
    )
    assert load({}, path).settings.custom_models == ("a/b",)


def test_new_file_is_private(tmp_path: Path) -> None:
    """It may hold the token: 0600, in a directory of 0700, and nothing temporary is left."""
    path = tmp_path / "agent" / "proxy-config.json"
    save(path, {"authToken": "t"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["proxy-config.json"]


def test_symlink_stays_one(tmp_path: Path) -> None:
    """The file behind it is replaced."""
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("real.json")
    save(tmp_path / "link.json", {"port": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"port": 1}


def test_a_link_in_a_circle_is_told(tmp_path: Path) -> None:
    """Nothing can be read behind it, so nothing is written."""
    path = tmp_path / "proxy-config.json"
    path.symlink_to(path.name)
    with pytest.raises(ConfigError, match="cannot be read"):
        save(path, {"port": 1})
    assert path.is_symlink()


def test_broken_file_is_not_overwritten(tmp_path: Path) -> None:
    """Somebody's comma is no reason to lose everything else."""
    path = tmp_path / "proxy-config.json"
    path.write_text('{"port": 1,}')
    with pytest.raises(ConfigError, match="mend or remove the file first"):
        save(path, {"port": 2})
    assert path.read_text() == '{"port": 1,}'


def test_unknown_key_is_refused(tmp_path: Path) -> None:
    """With the list of those that exist."""
    with pytest.raises(ConfigError, match=r"prot: no such setting; there are host, port"):
        save(tmp_path / "proxy-config.json", {"prot": 2})


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file and leaves nothing behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be"):
        save(tmp_path / "file" / "proxy-config.json", {"port": 2})
    (tmp_path / "proxy-config.json").mkdir()
    with pytest.raises(ConfigError):
        save(tmp_path / "proxy-config.json", {"port": 2})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "proxy-config.json"]


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails changes nothing and leaves no temporary file."""
    path = tmp_path / "proxy-config.json"
    save(path, {"port": 1})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"proxy-config\.json: cannot be written: No space left on device"):
        save(path, {"port": 2})
    assert [(entry.name, json.loads(entry.read_text())) for entry in tmp_path.iterdir()] == [
        ("proxy-config.json", {"port": 1})
    ]
