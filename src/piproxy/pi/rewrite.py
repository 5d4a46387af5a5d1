"""Rewriting a file that belongs to somebody else: same mode, same owner, whole or not at all (pi-on-disk.md, 1.4)."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_ACL: Final = "system.posix_acl_access"


def rewrite(path: Path, content: bytes) -> None:
    """Give the existing file behind ``path`` new content, on disk when this returns.

    A temporary file is renamed over it. Where that cannot keep mode, owner, access list or other names of the file,
    or where the file is a mount point, it is written in place. Raises ``OSError``; then the old content still stands,
    unless the disk failed in the middle of a write in place.
    """
    real = path.resolve()
    old = real.stat()
    if _replaceable(real, old) and _replace(real, content, old):
        return
    with real.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def create(path: Path, content: bytes) -> None:
    """Make the file, mode 0600, and its directory, mode 0700, unless it is there already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _write_new(Path(os.path.realpath(path)), content)


def _replaceable(real: Path, old: os.stat_result) -> bool:
    if old.st_nlink > 1 or not stat.S_ISREG(old.st_mode):
        return False
    try:
        return _ACL not in os.listxattr(real)
    except (AttributeError, OSError):  # no extended attributes on this system or in this file system
        return True


def _replace(real: Path, content: bytes, old: os.stat_result) -> bool:
    temporary = real.with_name(f".{real.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write_new(temporary, content)
        temporary.chmod(stat.S_IMODE(old.st_mode))
        new = temporary.stat()
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.chown(temporary, old.st_uid, old.st_gid)
        temporary.replace(real)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        if exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:  # in place would end worse: half a file
            raise
        return False
    _sync_directory(real.parent)
    return True


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):  # some file systems cannot; the rename itself has happened
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
