from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from piproxy.pi.rewrite import create, rewrite


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "auth.json"
    file.write_text("old")
    return file


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o640])
def test_the_mode_stays(path: Path, bits: int) -> None:
    """pi does not tighten an administrator's mode, and neither do we."""
    path.chmod(bits)
    rewrite(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", bits)


def test_the_file_is_replaced_whole_and_nothing_is_left_beside_it(path: Path) -> None:
    """A reader that has the old file open reads it to its end."""
    with path.open() as reader:
        rewrite(path, b"new")
        assert reader.read() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["auth.json"]


def test_a_symlink_stays_a_symlink(path: Path, tmp_path: Path) -> None:
    """The file behind it is written."""
    link = tmp_path / "link.json"
    link.symlink_to("auth.json")
    rewrite(link, b"new")
    assert (link.is_symlink(), path.read_bytes()) == (True, b"new")


def test_a_file_of_two_names_is_written_in_place(path: Path, tmp_path: Path) -> None:
    """Both names keep showing the same file."""
    other = tmp_path / "other"
    os.link(path, other)
    rewrite(path, b"n")
    assert other.read_bytes() == b"n"


def test_a_file_with_an_access_list_is_written_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renaming would lose the list."""
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "listxattr", lambda _path: ["system.posix_acl_access"])
    rewrite(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", inode)


def test_a_file_system_without_attributes_is_fine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is no list to lose."""

    def refuse(_path: Path) -> list[str]:
        raise OSError(errno.ENOTSUP, "no")

    inode = path.stat().st_ino
    monkeypatch.setattr(os, "listxattr", refuse)
    rewrite(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino != inode) == (b"new", True)


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV, errno.EPERM])
def test_what_cannot_be_renamed_is_written_in_place(path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A bind-mounted file, for one."""

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(code, os.strerror(code))

    inode = path.stat().st_ino
    monkeypatch.setattr(Path, "replace", refuse)
    rewrite(path, b"n")
    assert (path.read_bytes(), path.stat().st_ino) == (b"n", inode)
    assert [entry.name for entry in path.parent.iterdir()] == ["auth.json"]


def test_an_owner_that_cannot_be_kept_is_kept_by_writing_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renaming would make the file ours."""

    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", refuse)
    real = Path.stat

    def as_if_other(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(self, follow_symlinks=follow_symlinks)
        if self.suffix != ".tmp":
            return found
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:10]))

    inode = path.stat().st_ino
    monkeypatch.setattr(Path, "stat", as_if_other)
    rewrite(path, b"new")
    assert (path.read_bytes(), real(path).st_ino) == (b"new", inode)


def test_a_full_disk_leaves_the_old_content(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing in place would leave half a file."""

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        rewrite(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_new_file_and_its_directory_are_private(tmp_path: Path) -> None:
    """0600 in 0700, as pi makes them; a file that is there already is left alone."""
    path = tmp_path / "agent" / "auth.json"
    create(path, b"{}")
    create(path, b"other")
    assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"{}", 0o600, 0o700)
