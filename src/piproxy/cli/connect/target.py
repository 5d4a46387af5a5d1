"""What a client is to be told, and the files of other programs."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from piproxy.errors import ConfigError
from piproxy.model import Model


@dataclass(frozen=True, slots=True)
class Target:
    """The proxy that a client shall use."""

    url: str
    """With ``/v1``."""
    token: str
    """What to send as the key: the proxy's token, a mask of it, or a word where none is wanted."""
    model: str
    """Public id."""
    models: tuple[tuple[str, Model], ...]
    """Public id and model, all that are exposed."""
    provider_name: str = "Pi Proxy"
    """Zed's name for it."""
    wants_token: bool = False
    socket: str = ""
    """The unix socket on which the proxy listens and nowhere else; ``url`` is then one of any host."""
    authority: str = ""
    """Path of the local certificate authority that the client has to trust."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a file. ``backup``: where its earlier content is, if it had any."""

    changed: bool
    backup: Path | None = None

    def told(self, path: Path) -> str:
        """In words, a line each."""
        if not self.changed:
            return f"{path}: up to date"
        return f"wrote {path}" + (f"\nwhat it was: {self.backup}" if self.backup else "")


def read(path: Path) -> str:
    """The file's text, nothing where there is none. Raises :class:`~piproxy.errors.ConfigError`."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def write(path: Path, text: str) -> Written:
    """Write by a temporary file and a rename, where the text is another one.

    Links are followed, line ends and mode stay; a new file is for its owner alone, as it may hold the token. What was
    there before the first time is kept for good, what was there before the last time beside it.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        there = target.exists()
        before = target.read_bytes() if there else b""
        mode = stat.S_IMODE(target.stat().st_mode) if there else 0o600
        content = (text.replace("\n", "\r\n") if b"\r\n" in before else text).encode()
        if there and content == before:
            return Written(changed=False)
        backup = target.with_name(f"{target.name}.piproxy-backup")
        if backup.exists():
            backup = target.with_name(f"{target.name}.piproxy-previous")
        if there:
            _put(backup, before, mode)
        _put(target, content, mode)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return Written(changed=True, backup=backup if there else None)


def _put(path: Path, content: bytes, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
