"""pi's directory as a doctor sees it: presence, permissions, locks. Contents are the registry's business."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from piproxy.cli.finding import Finding
from piproxy.pi.directory import VARIABLE, AgentDirectory
from piproxy.pi.lock import STALE, lock_paths

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def file_findings(directory: AgentDirectory) -> Iterator[Finding]:
    """The directory and the files in it."""
    root = directory.root
    try:
        is_directory = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        yield Finding("note", f"{root} does not exist: pi was not used here yet (set {VARIABLE} if it is elsewhere)")
        return
    except OSError as error:
        yield Finding("error", f"{root} cannot be looked at: {error.strerror}", f"Set {VARIABLE} to pi's directory.")
        return
    if not is_directory:
        yield Finding("error", f"{root} is not a directory", f"Set {VARIABLE} to pi's directory.")
        return
    if not os.access(root, os.R_OK | os.X_OK):
        yield Finding("error", f"{root} cannot be read", f"chmod u+rwx {root}, or run as its owner.")
        return
    if not os.access(root, os.W_OK):
        yield Finding("warning", f"{root} cannot be written: logins cannot be refreshed", f"chmod u+w {root}")
    present = [path for path in _files(directory) if os.path.lexists(path)]
    yield Finding("ok", f"{root}: {', '.join(path.name for path in present) or 'no files yet'}")
    for path in present:
        yield from _file(path, secret=path in (directory.auth, directory.proxy_config, directory.models))
    if directory.auth not in present and os.access(root / "oauth.json", os.F_OK):
        step = "Start pi once: it moves them to auth.json."
        yield Finding("warning", f"{root / 'oauth.json'} holds logins of an older pi", step)
    if os.access(directory.auth, os.R_OK) and not os.access(directory.auth, os.W_OK):
        yield Finding(
            "warning", f"{directory.auth} cannot be written: logins cannot be refreshed", f"chmod u+w {directory.auth}"
        )


def lock_findings(auth: Path) -> Iterator[Finding]:
    """Locks that somebody holds, or left behind."""
    for path in lock_paths(auth):
        try:
            age = time.time() - path.stat().st_mtime
            members = len(list(path.iterdir())) if path.is_dir() else -1
        except OSError:
            continue
        if members:
            what = "is not empty" if members > 0 else "is not a directory"
            yield Finding("error", f"{path} {what}, so nobody can take that lock away", f"Remove {path}.")
        elif age > STALE:
            step = "Nothing: the next one who needs the lock takes it over."
            yield Finding("note", f"{path} was left behind {age:.0f} s ago by a program that ended badly", step)
        else:
            yield Finding("note", f"{path} is held by a running program, probably pi")


def _files(directory: AgentDirectory) -> tuple[Path, ...]:
    return (directory.auth, directory.models, directory.models_store, directory.settings, directory.proxy_config)


def _file(path: Path, *, secret: bool) -> Iterator[Finding]:
    if not os.access(path, os.F_OK):
        yield Finding("error", f"{path} is a link that leads nowhere", "Correct the link, or remove it.")
    elif not path.is_file():
        yield Finding("error", f"{path} is not a file", "Move it out of the way.")
    elif not os.access(path, os.R_OK):
        yield Finding("error", f"{path} cannot be read", f"chmod u+r {path}, or run as its owner.")
    elif secret and os.name == "posix" and path.stat().st_mode & _OTHERS:
        mode = stat.S_IMODE(path.stat().st_mode)
        yield Finding(
            "warning", f"{path} may hold secrets and is open to other users (mode {mode:04o})", f"chmod 600 {path}"
        )
